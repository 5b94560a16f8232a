import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseCsr } from '../../src/pki/csr.ts'
import type { NameKind } from '../../src/pki/general_names.ts'
import { decide } from '../../src/pki/template.ts'
import { limits, serverUsages } from './issue.ts'
import { makeAuthority, makeCa, now } from './make_ca.ts'

/**
 * Each file: `expect: accept`, or the rule by which a strict CA refuses it; what it is about; an empty
 * line; PEM. What is asked for is no CA, and names of every kind but directoryName are given.
 */
const folder = join(import.meta.dirname, 'testdata', 'csr')

const authority = makeAuthority(makeCa({ name: 'Root' }))
const nameKinds: readonly NameKind[] = ['dns', 'ip', 'uri', 'email', 'otherName']

describe('the CSR in', () => {
  for (const file of readdirSync(folder)) {
    const [header = '', ...pem] = readFileSync(join(folder, file), 'utf8').split('\n\n')
    const expected = /^expect: (.+)$/m.exec(header)?.[1]
    test(`${file}: ${expected}`, () => assert.equal(verdict(pem.join('\n\n')), expected))
  }
})

function verdict(pem: string): string {
  const csr = parseCsr(pem)
  if (!csr.ok) return csr.refusal.rule
  const decision = decide({
    csr: csr.value,
    request: { isCA: false, usages: serverUsages },
    limits: { ...limits, nameKinds },
    authority,
    now,
    serialBytes: new Uint8Array(16).fill(1),
  })
  return decision.ok ? 'accept' : decision.refusal.rule
}
