import { isRestError } from '@azure/core-rest-pipeline'
import { CertificateClient, type CertificateProperties } from '@azure/keyvault-certificates'
import { SecretClient } from '@azure/keyvault-secrets'
import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import { isObject, objectAt, textAt } from '../json.ts'
import type { VaultLocation } from './cloud.ts'
import {
  parseRetryAfter,
  type VaultAction,
  type VaultAnswer,
  type VaultRight,
  vaultFailure,
  vaultUnreachable,
} from './failure.ts'
import { Gate } from './gate.ts'
import { postSign } from './sign.ts'
import type { TokenSource } from './token_source.ts'
import type {
  CertificateVersion,
  CertificateVersionInfo,
  ObjectVersion,
  SignRequest,
  Vault,
  VaultCertificate,
  VaultSecret,
} from './vault.ts'

export interface KeyVaultOptions {
  readonly location: VaultLocation
  readonly tokens: TokenSource
  /** Signatures in flight at once. */
  readonly inFlight: number
  /** Connections for the signing calls, shared by all vaults. */
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Throws when this process must make no more calls; asked right before each one leaves. */
  readonly assertLeader: () => void
  /** Told of each call to the vault, for metrics. */
  readonly onCall: (call: VaultCall) => void
}

export interface VaultCall {
  readonly host: string
  readonly operation: 'sign' | 'certificate' | 'versions' | 'secret'
  /** `ok` or the error's code. */
  readonly outcome: string
  readonly ms: number
}

/** "Key Vault Certificate User" would also give the private key. */
const readCertificate: VaultRight = {
  role: 'Key Vault Reader',
  dataAction: 'Microsoft.KeyVault/vaults/certificates/read',
  accessPolicy: '"get" for certificates',
}

const readSecret: VaultRight = {
  role: 'Key Vault Secrets User',
  dataAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action',
  accessPolicy: '"get" for secrets',
}

/** A time limit for a whole call to the vault, in milliseconds. */
const callTimeout = 30_000

/**
 * A Key Vault over the network. Certificates and secrets, read now and then, go through the Azure
 * SDK; signatures, the hot path, are one POST each (docs/decisions/0002-signing-call.md).
 */
export class KeyVault implements Vault {
  readonly #options: KeyVaultOptions
  readonly #gate: Gate
  readonly #certificates: CertificateClient
  readonly #secrets: SecretClient

  constructor(options: KeyVaultOptions) {
    this.#options = options
    this.#gate = new Gate(options.inFlight)
    const credential = options.tokens.asCredential()
    const { url } = options.location
    const retryOptions = { maxRetries: 1 }
    this.#certificates = new CertificateClient(url, credential, { retryOptions })
    this.#secrets = new SecretClient(url, credential, { retryOptions })
  }

  sign(request: SignRequest, signal: AbortSignal): Promise<Uint8Array> {
    return this.#gate.through(signal, () =>
      this.#measured('sign', signal, (limited) =>
        postSign({ ...this.#options, request, signal: limited }),
      ),
    )
  }

  async authenticate(signal: AbortSignal): Promise<void> {
    await this.#options.tokens.token(signal)
  }

  certificate(ref: ObjectVersion, signal: AbortSignal): Promise<VaultCertificate> {
    const action = this.#reading(
      ref.name,
      ` with version ${ref.version}`,
      'check name and version in spec.ca',
    )
    return this.#measured('certificate', signal, async (abortSignal) => {
      const answer = await this.#sdk(action, abortSignal, () =>
        this.#certificates.getCertificateVersion(ref.name, ref.version, { abortSignal }),
      )
      if (answer.cer === undefined) {
        throw new IssuerError(
          'VaultNotFound',
          `${action.object} at ${action.vaultUrl} has no certificate yet — complete its creation`,
        )
      }
      return { der: new Uint8Array(answer.cer), key: ref }
    })
  }

  latestCertificate(name: string, signal: AbortSignal): Promise<CertificateVersion> {
    const action = this.#reading(name)
    return this.#gate.through(signal, () =>
      this.#measured('certificate', signal, async (abortSignal) => {
        const { cer, properties } = await this.#sdk(action, abortSignal, () =>
          this.#certificates.getCertificate(name, { abortSignal }),
        )
        return { ...infoOf(properties), der: cer === undefined ? undefined : new Uint8Array(cer) }
      }),
    )
  }

  certificateVersions(
    name: string,
    signal: AbortSignal,
  ): Promise<readonly CertificateVersionInfo[]> {
    return this.#measured('versions', signal, (abortSignal) =>
      this.#sdk(this.#reading(name), abortSignal, async () => {
        const versions: CertificateVersionInfo[] = []
        const pages = this.#certificates.listPropertiesOfCertificateVersions(name, { abortSignal })
        for await (const properties of pages) versions.push(infoOf(properties))
        return versions
      }),
    )
  }

  secret(ref: ObjectVersion, signal: AbortSignal): Promise<VaultSecret> {
    const action: VaultAction = {
      what: `read secret "${ref.name}"`,
      vaultUrl: this.#options.location.url,
      who: this.#options.tokens.who,
      right: readSecret,
      object: `secret "${ref.name}" with version ${ref.version}`,
      ifRefused: 'check name and version in spec.ca',
    }
    return this.#measured('secret', signal, async (abortSignal) => {
      const { version } = ref
      const answer = await this.#sdk(action, abortSignal, () =>
        this.#secrets.getSecret(ref.name, { version, abortSignal }),
      )
      return {
        value: answer.value ?? '',
        contentType: answer.properties.contentType ?? '',
        managed: answer.properties.managed ?? false,
      }
    })
  }

  #reading(
    name: string,
    version = '',
    ifRefused = 'check the name in spec.certificates',
  ): VaultAction {
    return {
      what: `read certificate "${name}"`,
      vaultUrl: this.#options.location.url,
      who: this.#options.tokens.who,
      right: readCertificate,
      object: `certificate "${name}"${version}`,
      ifRefused,
    }
  }

  async #measured<T>(
    operation: VaultCall['operation'],
    signal: AbortSignal,
    call: (limited: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, location, onCall } = this.#options
    const started = clock.monotonic()
    const done = (outcome: string) =>
      onCall({ host: location.host, operation, outcome, ms: clock.monotonic() - started })
    try {
      const value = await call(AbortSignal.any([signal, AbortSignal.timeout(callTimeout)]))
      done('ok')
      return value
    } catch (error) {
      signal.throwIfAborted()
      done(error instanceof IssuerError ? error.code : 'Internal')
      throw error
    }
  }

  async #sdk<T>(action: VaultAction, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    try {
      this.#options.assertLeader()
      return await call()
    } catch (error) {
      if (error instanceof IssuerError) throw error
      if (signal.aborted) throw vaultUnreachable(action, signal.reason)
      const answer = answerOfSdkError(error, this.#options.clock.now())
      throw answer === undefined
        ? vaultUnreachable(action, error)
        : vaultFailure(action, answer, error)
    }
  }
}

function infoOf(properties: CertificateProperties): CertificateVersionInfo {
  const { version, enabled, notBefore, expiresOn, createdOn } = properties
  return {
    version: version ?? '',
    enabled: enabled ?? false,
    notBefore: notBefore?.getTime(),
    notAfter: expiresOn?.getTime(),
    created: createdOn?.getTime() ?? 0,
  }
}

/** What Key Vault answered, out of the SDK's error; `undefined` when there was no answer. */
function answerOfSdkError(error: unknown, now: number): VaultAnswer | undefined {
  if (!isRestError(error) || error.statusCode === undefined) return undefined
  const details = isObject(error.details) ? objectAt(error.details, 'error') : undefined
  const header = (name: string) => error.response?.headers.get(name)
  return {
    status: error.statusCode,
    code: textAt(details, 'code') ?? error.code ?? '',
    innerCode: textAt(objectAt(details, 'innerError'), 'code') ?? '',
    message: textAt(details, 'message') ?? '',
    retryAfterMs: parseRetryAfter(header('retry-after'), now),
    requestId: header('x-ms-request-id') ?? '',
    networkInfo: header('x-ms-keyvault-network-info') ?? '',
  }
}
