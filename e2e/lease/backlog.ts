import { at, conditionOf, type Json, listAt, textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'
import { until } from '../harness/until.ts'
import { certificate } from '../product/manifests.ts'
import { certificatesIn, clusterIssuers, requestsIn, type Scene } from '../product/scene.ts'

/** Approved requests that wait for a suspended issuer, so that a test says when work begins. */
export class Backlog {
  readonly namespace: string
  readonly count: number
  readonly #scene: Scene

  private constructor(scene: Scene, namespace: string, count: number) {
    this.#scene = scene
    this.namespace = namespace
    this.count = count
  }

  static async build(scene: Scene, count: number): Promise<Backlog> {
    const backlog = new Backlog(scene, await scene.cluster.namespace('backlog'), count)
    await backlog.#suspend(true)
    const names = Array.from({ length: count }, (_, i) => `web-${i}`)
    await Promise.all(
      names.map((name) =>
        scene.cluster.must('POST', certificatesIn(backlog.namespace), certificate(name)),
      ),
    )
    await until('all requests approved', async () => {
      const requests = await backlog.requests()
      const approved = requests.filter(
        (request) => at(conditionOf(request, 'Approved'), 'status') === 'True',
      )
      return approved.length === count
    })
    return backlog
  }

  /** Lets the work begin, and waits until the leader is in the middle of it. */
  async open(leader: RunningProcess): Promise<void> {
    await this.#suspend(false)
    await until('signing', () => leader.output().split('"signing"').length > this.count / 8)
  }

  async requests(): Promise<readonly Json[]> {
    return listAt(await this.#scene.cluster.must('GET', requestsIn(this.namespace)), 'items')
  }

  /** Waits until each request has its certificate. */
  async untilIssued(ms: number): Promise<void> {
    await until(
      'all requests issued',
      async () => {
        const issued = (await this.requests()).filter((request) =>
          at(request, 'status', 'certificate'),
        )
        return issued.length === this.count
      },
      ms,
    )
  }

  /** How often each request was answered with a certificate, by name, by the audit log. */
  async answers(): Promise<ReadonlyMap<string, number>> {
    const answers = new Map<string, number>()
    for (const event of await this.#scene.cluster.auditEvents()) {
      const isStatus = event.resource === 'certificaterequests' && event.subresource === 'status'
      if (!isStatus || event.namespace !== this.namespace || event.code >= 300) continue
      if (at(event.requestObject, 'status', 'certificate') === undefined) continue
      answers.set(event.name, (answers.get(event.name) ?? 0) + 1)
    }
    return answers
  }

  async #suspend(suspend: boolean): Promise<void> {
    const path = `${clusterIssuers}/akv-issuer` as const
    const issuer = await this.#scene.cluster.must('PATCH', path, { spec: { suspend } })
    if (!suspend) return
    await this.#scene.ready(`${clusterIssuers}/${textAt(issuer, 'metadata', 'name')}`, 'False')
  }
}
