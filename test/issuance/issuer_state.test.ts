import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPolicy } from '../../src/api/policy.ts'
import { isSameSigner, type Signer } from '../../src/issuance/issuer_state.ts'
import { parseInformationUrls } from '../../src/pki/information_urls.ts'
import { parsePolicy } from '../../src/pki/policy.ts'
import { type Ca, makeAuthority, makeCa } from '../pki/make_ca.ts'
import { accepted } from '../pki/outcomes.ts'
import { makeNoVault } from '../vault/no_vault.ts'

const vault = makeNoVault()
const root = makeCa({ name: 'Root' })
const intermediate = makeCa({ name: 'Intermediate', issuer: root })

/** As another proof of the same issuer finds it: equal, and not the same objects. */
function proven(ca: Ca = intermediate, parts: Partial<Signer> = {}): Signer {
  return {
    authority: makeAuthority(ca, [root]),
    policy: accepted(parsePolicy(readPolicy({ dnsNames: ['*.example.com'] }))),
    urls: accepted(parseInformationUrls({ ocspServers: ['http://ocsp.example.com'] })),
    vault,
    vaultHost: 'contoso.vault.azure.net',
    key: { name: 'ca', version: '0'.repeat(32) },
    keyId: `https://contoso.vault.azure.net/keys/ca/${'0'.repeat(32)}`,
    ...parts,
  }
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
    URL: proven(intermediate, { urls: accepted(parseInformationUrls({})) }),
  }
  for (const [what, other] of Object.entries(others)) {
    assert.equal(isSameSigner(proven(), other), false, what)
  }
})
