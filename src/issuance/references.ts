import type { KeyRef } from '../api/key_ref.ts'
import { IssuerError, invariant } from '../error.ts'
import { isObject, type JsonObject, objectAt, textAt, textMapAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { allowTokens, type ServiceAccount } from '../kube/service_account_tokens.ts'
import { type ClientCertificate, readClientCertificate } from '../vault/client_certificate.ts'

/** Reads what an issuer refers to, live, from the one namespace that the issuer may refer to. */
export class References {
  readonly #kube: KubeClient
  readonly #namespace: string

  constructor(kube: KubeClient, namespace: string) {
    this.#kube = kube
    this.#namespace = namespace
  }

  /** @throws IssuerError `ReferenceNotFound`, `KubeForbidden` */
  async secretText(ref: KeyRef, signal: AbortSignal): Promise<string> {
    const secret = await this.#readKeyed('Secret', ref.name, `key "${ref.key}"`, signal)
    // A line end at the end comes from `echo` or an editor and is part of no client secret.
    return this.#decoded(secret, ref).replace(/\r?\n$/, '')
  }

  /**
   * Certificate and key of a kubernetes.io/tls Secret, out of one reading: while it is rotated, two
   * could give the halves of two pairs.
   *
   * @throws IssuerError `ReferenceNotFound`, `ReferenceInvalid`, `KubeForbidden`
   */
  async clientCertificate(
    name: string,
    now: number,
    signal: AbortSignal,
  ): Promise<ClientCertificate> {
    const [certificate, privateKey] = [
      { name, key: 'tls.crt' },
      { name, key: 'tls.key' },
    ]
    const secret = await this.#readKeyed('Secret', name, 'keys "tls.crt" and "tls.key"', signal)
    const pair = {
      certificate: this.#decoded(secret, certificate),
      privateKey: this.#decoded(secret, privateKey),
    }
    return readClientCertificate(pair, this.#origin('Secret', name), now)
  }

  /** @throws IssuerError `ReferenceNotFound`, `KubeForbidden` */
  async configMapText(ref: KeyRef, signal: AbortSignal): Promise<string> {
    const configMap = await this.#readKeyed('ConfigMap', ref.name, `key "${ref.key}"`, signal)
    const text = textAt(objectAt(configMap, 'data'), ref.key)
    if (text === undefined) throw this.#noKey('ConfigMap', ref)
    return text
  }

  /**
   * A ServiceAccount, and what it is annotated with.
   *
   * @throws IssuerError `ReferenceNotFound`, `KubeForbidden`
   */
  async serviceAccount(
    name: string,
    signal: AbortSignal,
  ): Promise<{
    readonly account: ServiceAccount
    readonly annotations: Readonly<Record<string, string>>
  }> {
    const namespace = this.#namespace
    const object = await this.#read(
      {
        kind: 'ServiceAccount',
        resource: 'serviceaccounts',
        name,
        ifForbidden: allowTokens(namespace, name),
        ifMissing: 'create it there, or correct the reference',
      },
      signal,
    )
    const metadata = objectAt(object, 'metadata')
    const uid = textAt(metadata, 'uid')
    invariant(uid, 'an API server gave a ServiceAccount without uid')
    return { account: { namespace, name, uid }, annotations: textMapAt(metadata, 'annotations') }
  }

  async #readKeyed(
    kind: 'Secret' | 'ConfigMap',
    name: string,
    keys: string,
    signal: AbortSignal,
  ): Promise<JsonObject | undefined> {
    const resource = kind === 'Secret' ? 'secrets' : 'configmaps'
    const ifForbidden =
      'bind ClusterRole akv-issuer-issuer-references there to its ServiceAccount, by a RoleBinding'
    const ifMissing = `create it there with the ${keys}, or correct the reference`
    return await this.#read({ kind, resource, name, ifForbidden, ifMissing }, signal)
  }

  async #read(referred: Referred, signal: AbortSignal): Promise<JsonObject | undefined> {
    const { kind, resource, name, ifForbidden, ifMissing } = referred
    const namespace = this.#namespace
    const path = resourcePath({ group: '', version: 'v1', resource, namespace, name })
    try {
      const object = await this.#kube.request({ method: 'GET', path }, signal)
      return isObject(object) ? object : undefined
    } catch (error) {
      if (error instanceof IssuerError && error.code === 'KubeForbidden') {
        throw new IssuerError(
          'KubeForbidden',
          `the controller may not read ${this.#origin(kind, name)} — ${ifForbidden}`,
          { cause: error },
        )
      }
      if (error instanceof IssuerError && error.code === 'KubeNotFound') {
        throw new IssuerError(
          'ReferenceNotFound',
          `${kind} "${name}" not found in namespace "${namespace}" — ${ifMissing}`,
          { cause: error },
        )
      }
      throw error
    }
  }

  #decoded(secret: JsonObject | undefined, ref: KeyRef): string {
    const encoded = textAt(objectAt(secret, 'data'), ref.key)
    if (encoded === undefined) throw this.#noKey('Secret', ref)
    return Buffer.from(encoded, 'base64').toString('utf8')
  }

  #noKey(kind: string, { name, key }: KeyRef): IssuerError {
    return new IssuerError(
      'ReferenceNotFound',
      `${this.#origin(kind, name)} has no key "${key}", or it is empty — add it, or correct the ` +
        'reference',
    )
  }

  #origin(kind: string, name: string): string {
    return `${kind} "${name}" in namespace "${this.#namespace}"`
  }
}

/** An object that is referred to, and what helps when it cannot be had. */
interface Referred {
  readonly kind: string
  readonly resource: string
  readonly name: string
  readonly ifForbidden: string
  readonly ifMissing: string
}
