import type { KeyRef } from '../api/key_ref.ts'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
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
    const secret = await this.#read('Secret', 'secrets', ref, signal)
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
    const secret = await this.#read('Secret', 'secrets', certificate, signal)
    const pair = {
      certificate: this.#decoded(secret, certificate),
      privateKey: this.#decoded(secret, privateKey),
    }
    return readClientCertificate(pair, this.#origin('Secret', name), now)
  }

  /** @throws IssuerError `ReferenceNotFound`, `KubeForbidden` */
  async configMapText(ref: KeyRef, signal: AbortSignal): Promise<string> {
    const configMap = await this.#read('ConfigMap', 'configmaps', ref, signal)
    const text = textAt(objectAt(configMap, 'data'), ref.key)
    if (text === undefined) throw this.#noKey('ConfigMap', ref)
    return text
  }

  async #read(kind: string, resource: string, ref: KeyRef, signal: AbortSignal) {
    const path = resourcePath({
      group: '',
      version: 'v1',
      resource,
      namespace: this.#namespace,
      name: ref.name,
    })
    try {
      const object = await this.#kube.request({ method: 'GET', path }, signal)
      return isObject(object) ? object : undefined
    } catch (error) {
      if (error instanceof IssuerError && error.code === 'KubeForbidden') {
        throw new IssuerError(
          'KubeForbidden',
          `the controller may not read ${kind} "${ref.name}" in namespace "${this.#namespace}" — bind ` +
            'ClusterRole akv-issuer-issuer-references there to its ServiceAccount, by a RoleBinding',
          { cause: error },
        )
      }
      if (error instanceof IssuerError && error.code === 'KubeNotFound') {
        throw new IssuerError(
          'ReferenceNotFound',
          `${kind} "${ref.name}" not found in namespace "${this.#namespace}" — create it there with ` +
            `the key "${ref.key}", or correct the reference`,
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
