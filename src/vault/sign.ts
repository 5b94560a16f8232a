import { IssuerError } from '../error.ts'
import { type JsonObject, textAt } from '../json.ts'
import type { VaultAction, VaultRight } from './failure.ts'
import { callVault, type RestDeps } from './rest_call.ts'
import type { SignRequest } from './vault.ts'

export interface SignCall extends RestDeps {
  readonly request: SignRequest
  readonly signal: AbortSignal
}

const signWithKey: VaultRight = {
  role: 'Key Vault Crypto User',
  dataAction: 'Microsoft.KeyVault/vaults/keys/sign/action',
  accessPolicy: '"sign" for keys',
}

const signInManagedHsm: VaultRight = {
  role: 'Managed HSM Crypto User',
  dataAction: 'Microsoft.KeyVault/managedHsm/keys/sign/action',
  accessPolicy: '"sign" for keys',
  where: 'on the Managed HSM (az keyvault role assignment create --hsm-name)',
}

/** `POST /keys/{name}/{version}/sign`: one request for one signature. */
export async function postSign(call: SignCall): Promise<Uint8Array> {
  const { key, algorithm, digest } = call.request
  const value = Buffer.from(digest).toString('base64url')
  const body = await callVault(
    call,
    {
      method: 'POST',
      path: `/keys/${key.name}/${key.version}/sign`,
      body: { alg: algorithm, value },
      action: actionOf(call),
    },
    call.signal,
  )
  return signatureOf(call, body)
}

function signatureOf({ location, request }: SignCall, body: JsonObject): Uint8Array {
  const { key } = request
  const kid = textAt(body, 'kid')
  const value = textAt(body, 'value')
  // Another version's signature would not fit the CA certificate; identifiers compare without case.
  const expected = `${location.url}/keys/${key.name}/${key.version}`
  if (kid?.toLowerCase() !== expected.toLowerCase()) {
    throw new IssuerError(
      'VaultAnswerInvalid',
      `Key Vault signed with ${kid ?? 'a key it does not name'}, expected ${expected}`,
    )
  }
  if (value === undefined || !/^[A-Za-z0-9_-]+$/.test(value)) {
    throw new IssuerError(
      'VaultAnswerInvalid',
      `Key Vault's answer to sign with ${expected} holds no base64url signature`,
    )
  }
  return new Uint8Array(Buffer.from(value, 'base64url'))
}

function actionOf({ location, tokens, request }: SignCall): VaultAction {
  return {
    what: `sign with key "${request.key.name}"`,
    vaultUrl: location.url,
    who: tokens.who,
    right: location.isManagedHsm ? signInManagedHsm : signWithKey,
    object: `key "${request.key.name}" with version ${request.key.version}`,
    ifRefused:
      `name a key that can sign by ${request.algorithm}, which follows from the CA certificate and ` +
      'spec.ca.signatureAlgorithm, or the certificate that was made for this key',
  }
}
