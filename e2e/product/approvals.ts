import { at, type Json, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import { addConditions, approved } from './requests.ts'
import { requestsIn, type Scene } from './scene.ts'

interface Seen {
  readonly name: string
  readonly certificate: string
  isGone: boolean
}

/** The requests of a namespace, which a test approves in place of cert-manager's approver. */
export class Approvals {
  readonly #scene: Scene
  readonly #namespace: string
  /** By UID: names are used again. */
  readonly #requests = new Map<string, Seen>()
  readonly #taken = new Set<string>()

  constructor(scene: Scene, namespace: string) {
    this.#scene = scene
    this.#namespace = namespace
    scene.cluster.watch(requestsIn(namespace), ({ type, object }) => {
      const certificate = at(object, 'metadata', 'annotations', 'cert-manager.io/certificate-name')
      this.#requests.set(textAt(object, 'metadata', 'uid'), {
        name: textAt(object, 'metadata', 'name'),
        certificate: String(certificate),
        isGone: type === 'DELETED',
      })
    })
  }

  /** Requests that cert-manager made for the Certificate, those that are gone among them. */
  countOf(certificate: string): number {
    return [...this.#requests.values()].filter((seen) => seen.certificate === certificate).length
  }

  /** The present request of the Certificate, once it is another than those given before. */
  async next(certificate: string): Promise<Json> {
    const { cluster } = this.#scene
    return await until(`another request of Certificate ${certificate}`, async () => {
      for (const [uid, seen] of this.#requests) {
        if (seen.certificate !== certificate || seen.isGone || this.#taken.has(uid)) continue
        const { body } = await cluster.api('GET', `${requestsIn(this.#namespace)}/${seen.name}`)
        if (at(body, 'metadata', 'uid') !== uid) continue
        this.#taken.add(uid)
        return body
      }
      return undefined
    })
  }

  async approve(request: Json): Promise<void> {
    const path = `${requestsIn(this.#namespace)}/${textAt(request, 'metadata', 'name')}` as const
    await addConditions(this.#scene, path, approved)
  }

  /** Approves the next request of the Certificate. */
  async approveNext(certificate: string): Promise<void> {
    await this.approve(await this.next(certificate))
  }
}
