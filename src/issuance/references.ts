import type { KeyRef } from '../api/ca.ts'
import { IssuerError } from '../error.ts'
import { isObject, objectAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'

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
    const encoded = textAt(objectAt(secret, 'data'), ref.key)
    if (encoded === undefined) throw this.#noKey('Secret', ref)
    // A line end at the end comes from `echo` or an editor and is part of no client secret.
    return Buffer.from(encoded, 'base64')
      .toString('utf8')
      .replace(/\r?\n$/, '')
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

  #noKey(kind: string, ref: KeyRef): IssuerError {
    return new IssuerError(
      'ReferenceNotFound',
      `${kind} "${ref.name}" in namespace "${this.#namespace}" has no key "${ref.key}", or it is ` +
        'empty — add it, or correct the reference',
    )
  }
}
