import { type Certificate, parseCertificate } from '../api/certificate.ts'
import type { CertificateRequest } from '../api/certificate_request.ts'
import { certManagerGroup } from '../api/names.ts'
import type { Clock } from '../clock.ts'
import { type ErrorCode, IssuerError } from '../error.ts'
import type { JsonObject } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { sameBytes } from '../pki/bytes.ts'
import type { KeyMaterial } from '../pki/key_material.ts'
import type { CertificateDirectory } from '../vault/certificate_directory.ts'
import type { UsableVersion } from '../vault/version_choice.ts'
import type { ChosenCertificates } from './chosen_certificates.ts'
import type { DeliveryFacts } from './decide_delivery.ts'
import type { Deliverer } from './issuer_state.ts'
import { KeyMaterialCache } from './key_material_cache.ts'
import { checkNextKeySecret, withKey } from './next_key_secret.ts'
import type { Delivery, Outcome } from './outcome.ts'
import { SwapPace } from './swap_pace.ts'
import { leafOf, publicKeyOf, readSecret, secretPath, withoutRight } from './tls_secret.ts'

/** What a request is answered with: a chain, and the root where it is known. */
export interface DeliveredCertificate {
  readonly chainPem: string
  readonly caPem: string
  /** What the chain lacks, in sentences. */
  readonly missing: readonly string[]
}

export interface CourierOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly log: Log
  readonly directory: CertificateDirectory
  readonly chosen: ChosenCertificates
  /** Throws `LeaseLost` when another replica may be at work. */
  readonly assertLeader: () => void
  readonly onSwap: () => void
}

/** What Key Vault says of a secret whose version was disabled or deleted since it was seen. */
const staleCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['VaultKeyUnusable', 'VaultNotFound'])

/** Brings keys and certificates from Key Vault to where cert-manager takes them up. */
export class Courier {
  readonly #options: CourierOptions
  readonly #materials: KeyMaterialCache
  readonly #pace: SwapPace

  constructor(options: CourierOptions) {
    this.#options = options
    this.#materials = new KeyMaterialCache(options.clock)
    this.#pace = new SwapPace(options.clock)
  }

  /** Reads what a decision rests on, live. */
  async facts(
    request: CertificateRequest,
    deliverer: Deliverer,
    signal: AbortSignal,
  ): Promise<DeliveryFacts> {
    const { kube, directory } = this.#options
    const certificate = await this.#certificateOf(request, signal)
    const secret =
      certificate && (await readSecret(kube, request.namespace, certificate.secretName, signal))
    const entry = (name: string) => directory.entry(deliverer, name)
    return { certificate, present: leafOf(secret), entry }
  }

  /** Reads a certificate that a request chose by its name. */
  async lookUp(
    { uid, namespace, certificate }: CertificateRequest,
    { deliverer, name }: Extract<Outcome, { kind: 'lookUp' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const chooser = { uid: certificate?.uid ?? uid, namespace }
    await this.#options.chosen.read(chooser, deliverer, name, signal)
  }

  /**
   * Puts Key Vault's key into the Secret from which cert-manager takes the key of the next
   * certificate. cert-manager then drops the request, and makes another with that key.
   */
  async swapKey(
    request: CertificateRequest,
    { certificate, deliverer, name, version }: Extract<Outcome, { kind: 'swapKey' }>,
    mayGo: () => boolean,
    signal: AbortSignal,
  ): Promise<WorkResult> {
    const { kube, log, assertLeader, onSwap } = this.#options
    const pause = this.#pace.pauseMs(certificate.uid)
    if (pause > 0) return { kind: 'after', ms: pause }

    const { namespace } = request
    const secretName = certificate.nextKeySecret ?? ''
    const secret = await readSecret(kube, namespace, secretName, signal)
    // Gone: the issuance ended, and cert-manager is about to say so.
    if (secret === undefined) return { kind: 'retry' }
    checkNextKeySecret(secret, certificate)
    const spki = publicKeyOf(secret)
    if (spki !== undefined && sameBytes(spki, version.certificate.key.spki)) return { kind: 'done' }

    const material = await this.#material(deliverer, name, version, signal)
    if (!mayGo()) return { kind: 'done' }
    assertLeader()
    log.info('putting the key from Key Vault in place', {
      uid: request.uid,
      namespace,
      certificate: certificate.name,
      secret: secretName,
      vault: deliverer.vaultHost,
      version: `${name}/${version.version}`,
    })
    const body = withKey(secret, material.privateKeyPkcs8Pem)
    await put(kube, namespace, secretName, body, signal)
    onSwap()
    this.#pace.swapped(certificate.uid)
    return { kind: 'done' }
  }

  /** @throws IssuerError when key and chain of the version cannot be had */
  async prove(
    { deliverer, name, version }: Omit<Delivery, 'csr'>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#material(deliverer, name, version, signal)
  }

  /** The answer for a request whose key is Key Vault's. */
  async certificateFor(
    { deliverer, name, version, csr }: Delivery,
    signal: AbortSignal,
  ): Promise<DeliveredCertificate> {
    const material = await this.#material(deliverer, name, version, signal)
    // Decided by the directory's certificate; what is handed out is the secret's.
    if (!sameBytes(material.certificate.key.spki, csr.key.spki)) {
      throw new IssuerError('Internal', 'the certificate to deliver is not for the key of the CSR')
    }
    const { chainPem, rootPem, missing } = material
    return { chainPem, caPem: rootPem ?? '', missing }
  }

  /** The issuance went well. */
  delivered(request: CertificateRequest): void {
    if (request.certificate) this.#pace.forget(request.certificate.uid)
  }

  /** Forgets the keys that were read lately. */
  close(): void {
    this.#materials.clear()
  }

  forgetCertificate(uid: string): void {
    this.#pace.forget(uid)
    this.#options.chosen.forget(uid)
  }

  forgetRequest(uid: string): void {
    this.#options.chosen.forget(uid)
  }

  async #material(
    { vault, vaultHost }: Deliverer,
    name: string,
    version: UsableVersion,
    signal: AbortSignal,
  ): Promise<KeyMaterial> {
    try {
      return await this.#materials.get(vault, name, version, signal)
    } catch (error) {
      const isStale = error instanceof IssuerError && staleCodes.has(error.code)
      if (isStale) this.#options.directory.notice(vaultHost, name)
      throw error
    }
  }

  /** The Certificate that controls the request now; another one of its name is none. */
  async #certificateOf(
    { namespace, certificate }: CertificateRequest,
    signal: AbortSignal,
  ): Promise<Certificate | undefined> {
    if (certificate === undefined) return undefined
    try {
      const path = certificatePath(namespace, certificate.name)
      const object = await this.#options.kube.request({ method: 'GET', path }, signal)
      const live = parseCertificate(object)
      return live?.uid === certificate.uid ? live : undefined
    } catch (error) {
      if (!(error instanceof IssuerError)) throw error
      if (error.code === 'KubeNotFound') return undefined
      if (error.code !== 'KubeForbidden') throw error
      throw new IssuerError(
        'KubeForbidden',
        'the controller may not read Certificates — apply config/rbac/deliver',
        { cause: error },
      )
    }
  }
}

export function certificatePath(namespace: string, name: string, subresource?: 'status'): string {
  return resourcePath({
    group: certManagerGroup,
    version: 'v1',
    resource: 'certificates',
    namespace,
    name,
    ...(subresource && { subresource }),
  })
}

async function put(
  kube: KubeClient,
  namespace: string,
  name: string,
  body: JsonObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    await kube.request({ method: 'PUT', path: secretPath(namespace, name), body }, signal)
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    if (error.code === 'KubeForbidden') throw withoutRight(namespace, error)
    // The issuance ended meanwhile; of the request nothing is known.
    throw error.code === 'KubeNotFound'
      ? new IssuerError('KubeConflict', error.message, { cause: error })
      : error
  }
}
