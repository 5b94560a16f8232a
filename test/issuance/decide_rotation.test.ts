import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  countTry,
  decideRotation,
  type RotationFacts,
  type RotationStep,
} from '../../src/issuance/decide_rotation.ts'
import { now } from '../pki/make_ca.ts'
import { makeCertificate, makeVersion } from './make_delivery.ts'

const held = makeVersion({ version: 'v1', mark: 'before' }).certificate.der
const offered = makeVersion({ version: 'v2' })
const minute = 60_000
const failedAgo = (ms: number) => ({
  certificate: makeCertificate({ lastFailureTime: new Date(now - ms).toISOString() }),
})
const tried = (version: string, notBefore: number) => ({ tries: { version, count: 1, notBefore } })

const cases: ReadonlyArray<
  readonly [name: string, facts: Partial<RotationFacts>, step: RotationStep]
> = [
  ['another certificate than the newest is replaced', {}, { kind: 'trigger' }],
  ['the newest is left alone', { present: offered.certificate.der }, { kind: 'hasIt' }],
  [
    'a Secret without a pair is left to cert-manager, which issues by itself',
    { present: undefined },
    { kind: 'leave' },
  ],
  [
    'a failure of this second is let pass: cert-manager would take it for one of the new issuance',
    failedAgo(500),
    { kind: 'pause', ms: 1_500 },
  ],
  ['an older failure is no obstacle', failedAgo(2_000), { kind: 'trigger' }],
  [
    'an issuance for this version that ended without it is set off again later',
    tried('v2', 1_000 + minute),
    { kind: 'pause', ms: minute },
  ],
  ['and then it is', tried('v2', 1_000), { kind: 'trigger' }],
  [
    'tries of an earlier version do not hold up the next',
    tried('v1', 1_000 + minute),
    { kind: 'trigger' },
  ],
  [
    'of two pauses the longer counts',
    { ...failedAgo(0), ...tried('v2', 1_500) },
    { kind: 'pause', ms: 2_000 },
  ],
]
for (const [name, facts, step] of cases) {
  test(name, () => {
    const certificate = makeCertificate({ revision: 1 })
    const usual = { certificate, present: held, offered, tries: undefined, now, monotonic: 1_000 }
    assert.deepEqual(decideRotation({ ...usual, ...facts }), step)
  })
}

test('tries for one version come at growing distances, up to an hour', () => {
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.999_999 }
  let tries: RotationFacts['tries']
  const minutes: number[] = []
  for (let count = 0; count < 8; count++) {
    tries = countTry({ tries, offered, monotonic: 0 }, random)
    minutes.push(Math.round(tries.notBefore / minute))
  }
  assert.deepEqual(minutes, [1, 2, 4, 8, 16, 32, 60, 60])
  const next = countTry({ tries, offered: makeVersion({ version: 'v3' }), monotonic: 0 }, random)
  assert.deepEqual([next.version, next.count], ['v3', 1])
})
