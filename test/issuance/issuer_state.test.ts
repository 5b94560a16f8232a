import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPolicy } from '../../src/api/policy.ts'
import {
  isSameNext,
  isSameSigner,
  type NextCa,
  type Signer,
} from '../../src/issuance/issuer_state.ts'
import { parseInformationUrls } from '../../src/pki/information_urls.ts'
import { parsePolicy } from '../../src/pki/policy.ts'
import { bundleRoots } from '../../src/pki/roots.ts'
import { type Ca, makeCa } from '../pki/make_ca.ts'
import { accepted } from '../pki/outcomes.ts'
import { makeNoVault } from '../vault/no_vault.ts'
import { makeNext, makeSigner } from './make_signer.ts'

const root = makeCa({ name: 'Root' })
const intermediate = makeCa({ name: 'Intermediate', issuer: root })

/** As another proof of the same issuer finds it: equal, and not the same objects. */
function proven(ca: Ca = intermediate, parts: Partial<Signer> = {}): Signer {
  return makeSigner(ca, [root], {
    policy: accepted(parsePolicy(readPolicy({ dnsNames: ['*.example.com'] }))),
    urls: accepted(parseInformationUrls({ ocspServers: ['http://ocsp.example.com'] })),
    ...parts,
  })
}

test('a proof repeated is no change', () => {
  assert.equal(isSameSigner(proven(), proven()), true)
})

test('another key, vault, chain, algorithm, policy or URL is one', () => {
  const renewed = makeCa({ name: 'Intermediate', issuer: root, key: intermediate.key })
  const others: Record<string, Signer> = {
    key: proven(intermediate, { keyId: 'https://contoso.vault.azure.net/keys/other/1' }),
    vault: proven(intermediate, { vault: makeNoVault() }),
    'CA certificate': proven(renewed),
    policy: proven(intermediate, { policy: accepted(parsePolicy(readPolicy(undefined))) }),
    roots: proven(intermediate, {
      bundle: bundleRoots([root.certificate, makeCa({ name: 'Next' }).certificate], []),
    }),
    URL: proven(intermediate, { urls: accepted(parseInformationUrls({})) }),
  }
  for (const [what, other] of Object.entries(others)) {
    assert.equal(isSameSigner(proven(), other), false, what)
  }
})

test('a next CA is another by its key, by who signs, and by what is wrong with it', () => {
  const broken = (message: string): NextCa => {
    return { kind: 'broken', code: 'VaultForbidden', message, root: undefined }
  }
  const found = [undefined, makeNext(root), makeNext(root, true), broken('grant'), broken('gone')]
  for (const [i, one] of found.entries()) {
    for (const [j, other] of found.entries()) assert.equal(isSameNext(one, other), i === j)
  }
  assert.equal(isSameNext(makeNext(root), makeNext(root)), true)
})
