import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NextCa } from '../../src/issuance/issuer_state.ts'
import {
  countStandings,
  type RolloverProgress,
  rolloverCondition,
} from '../../src/issuance/rollover_status.ts'
import { bundleRoots } from '../../src/pki/roots.ts'
import { makeCa } from '../pki/make_ca.ts'
import { makeNext, makeSigner } from './make_signer.ts'

const [a, b] = [makeCa({ name: 'A' }), makeCa({ name: 'B' })]
const signer = makeSigner(a, [], { bundle: bundleRoots([a.certificate, b.certificate], []) })
const { keyId } = signer
const published = makeNext(b)
const active = makeNext(b, true)
const broken: NextCa = { kind: 'broken', code: 'VaultForbidden', message: 'no', root: undefined }

function counted(current: number, total: number, more: object = {}): RolloverProgress {
  return { kind: 'counted', current, total, failed: [], unknown: [], ...more }
}

describe('the condition CARollover', () => {
  const rows: readonly (readonly [string, NextCa | undefined, RolloverProgress, string])[] = [
    [
      'is True where there is no rollover',
      undefined,
      { kind: 'none' },
      'True Settled: spec.ca.next is not set, and no CertificateRequest shows the roots of a rollover',
    ],
    [
      'counts who carries both roots',
      published,
      counted(12, 20),
      'False Reissuing: 12 of 20 Certificates carry the 2 roots of status.ca.roots',
    ],
    [
      'is True once all do',
      published,
      counted(20, 20),
      'True Published: 20 of 20 Certificates carry the 2 roots of status.ca.roots',
    ],
    [
      'counts who is signed by the next CA',
      active,
      counted(3, 20),
      `False Reissuing: 3 of 20 Certificates are signed by ${keyId} and carry the 2 roots of status.ca.roots`,
    ],
    [
      'is True once all are',
      active,
      counted(20, 20),
      `True Active: 20 of 20 Certificates are signed by ${keyId} and carry the 2 roots of status.ca.roots`,
    ],
    [
      'is not True while one failed',
      published,
      counted(19, 20, { failed: ['team/web'] }),
      'False Reissuing: 19 of 20 Certificates carry the 2 roots of status.ca.roots; team/web failed to be issued: see their CertificateRequests',
    ],
    [
      'is not True while nobody knows of one, and names five of them',
      published,
      counted(0, 7, { unknown: ['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'a/6', 'a/7'] }),
      'False Reissuing: 0 of 7 Certificates carry the 2 roots of status.ca.roots; of a/1, a/2, a/3, a/4, a/5 and 2 more the CertificateRequest is gone, so that nobody knows what they carry: renew them (cmctl renew)',
    ],
    [
      'says what is wrong with the next CA',
      broken,
      counted(20, 20),
      'False NextInvalid: spec.ca.next cannot be used, and spec.ca signs: no',
    ],
    [
      'says what the controller may not do',
      published,
      { kind: 'stuck', message: 'it may not' },
      'False CannotReissue: it may not',
    ],
    [
      'is Unknown until all were looked at',
      active,
      { kind: 'counting' },
      'Unknown Counting: the Certificates of the issuer are being looked at',
    ],
  ]
  for (const [title, next, progress, expected] of rows) {
    test(title, () => {
      const { status, reason, message } = rolloverCondition(signer, next, progress)
      assert.equal(`${status} ${reason}: ${message}`, expected)
    })
  }

  test('of one root says so', () => {
    const { reason, message } = rolloverCondition(makeSigner(b), undefined, counted(1, 2))
    assert.deepEqual(
      [reason, message],
      ['Reissuing', '1 of 2 Certificates carry the one root of status.ca.roots'],
    )
  })
})

test('Certificates are counted by where they stand; those apart are not', () => {
  assert.deepEqual(
    countStandings([
      ['a/due', 'due'],
      ['a/done', 'current'],
      ['a/under-way', 'issuing'],
      ['b/lost', 'unknown'],
      ['a/lost', 'unknown'],
      ['a/failed', 'failed'],
      ['a/unread', 'unread'],
      ['a/other', 'apart'],
    ]),
    { kind: 'counted', total: 7, current: 1, failed: ['a/failed'], unknown: ['a/lost', 'b/lost'] },
  )
})
