import { readPolicy } from '../../src/api/policy.ts'
import type { NextCa, Signer } from '../../src/issuance/issuer_state.ts'
import { noInformationUrls } from '../../src/pki/information_urls.ts'
import { parsePolicy } from '../../src/pki/policy.ts'
import { bundleRoots } from '../../src/pki/roots.ts'
import { type Ca, makeAuthority, makeCa } from '../pki/make_ca.ts'
import { accepted } from '../pki/outcomes.ts'
import { makeNoVault } from '../vault/no_vault.ts'

const version = '0123456789abcdef0123456789abcdef'
const vault = makeNoVault()

/** An issuer's proven CA `ca`, below `above`, right in all that `parts` leaves out. */
export function makeSigner(
  ca: Ca = makeCa(),
  above: readonly Ca[] = [],
  parts: Partial<Signer> = {},
): Signer {
  const authority = makeAuthority(ca, above)
  return {
    authority,
    policy: accepted(parsePolicy(readPolicy(undefined))),
    urls: noInformationUrls,
    vault,
    vaultHost: 'contoso.vault.azure.net',
    key: { name: 'ca', version },
    keyId: `https://contoso.vault.azure.net/keys/ca/${version}`,
    bundle: bundleRoots([authority.root], []),
    ...parts,
  }
}

/** A next CA that was proven. */
export function makeNext(ca: Ca, active = false): NextCa {
  const { authority, urls, key } = makeSigner(ca)
  const keyId = `https://contoso.vault.azure.net/keys/next/${version}`
  return { kind: 'proven', active, ca: { authority, urls, key, keyId } }
}
