import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { type KubeClient, openKubeClient } from '../../src/kube/client.ts'
import { serviceAccountSource } from '../../src/kube/credentials.ts'
import { Reflector, type ReflectorEvent, type ReflectorOptions } from '../../src/kube/reflector.ts'
import { silentLog } from '../../src/log.ts'
import { systemRandom } from '../../src/random.ts'
import type { KeyPairFiles } from '../harness/authority.ts'
import type { ApiPath, Cluster } from '../harness/cluster.ts'
import { type Json, listAt, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import { Mirror, parseSeen, type Seen, sorted } from './mirror.ts'
import { FaultRelay } from './relay.ts'

const seams = { clock: systemClock, random: systemRandom, log: silentLog }

/** What all relays of one cluster share. */
export interface RelayGround {
  readonly cluster: Cluster
  readonly serving: KeyPairFiles
  /** Of a ServiceAccount that may read everything. */
  readonly token: string
  readonly newToken: (seconds?: number) => Promise<string>
}

export async function prepareRelays(cluster: Cluster): Promise<RelayGround> {
  const names = 'IP:127.0.0.1'
  const [serving, account] = await Promise.all([
    cluster.authority.issue('relay', { subject: '/CN=relay', usage: 'serverAuth', names }),
    cluster.serviceAccount(await cluster.namespace('watcher'), 'watcher'),
  ])
  const { name, namespace } = account
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const role = `read-all-${namespace}`
  await cluster.must('POST', `${rbac}/clusterroles`, {
    metadata: { name: role },
    rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] }],
  })
  await cluster.must('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  })
  const newToken = () => account.token(cluster.tokenIssuer)
  return { cluster, serving, token: await newToken(), newToken }
}

export type FollowOptions = Pick<
  ReflectorOptions<Seen>,
  'idleTimeoutMs' | 'listTimeoutMs' | 'pageSize'
> & {
  /** Told after the mirror. */
  readonly onEvent?: (event: ReflectorEvent<Seen>) => void
}

/** A reflector of the ConfigMaps of a namespace of its own, through a relay of its own. */
export class Followed {
  readonly cluster: Cluster
  readonly namespace: string
  readonly relay: FaultRelay
  readonly reflector: Reflector<Seen>
  readonly mirror = new Mirror()
  /** Where its client reads `token` and `ca.crt`. */
  readonly folder: string
  readonly #client: KubeClient
  readonly #stop = new AbortController()
  readonly #began = performance.now()
  readonly #running: Promise<void>

  private constructor(
    parts: Pick<Followed, 'cluster' | 'namespace' | 'relay' | 'folder'> & { client: KubeClient },
    { onEvent, ...options }: FollowOptions,
  ) {
    this.cluster = parts.cluster
    this.namespace = parts.namespace
    this.relay = parts.relay
    this.folder = parts.folder
    this.#client = parts.client
    this.reflector = new Reflector({
      client: parts.client,
      path: this.collection,
      parse: parseSeen,
      onEvent: (event) => {
        this.mirror.take(event)
        onEvent?.(event)
      },
      ...options,
      ...seams,
    })
    this.#running = this.reflector.run(this.#stop.signal)
  }

  static async start(
    { cluster, serving, token }: RelayGround,
    options: FollowOptions = {},
  ): Promise<Followed> {
    const relay = await FaultRelay.start({ url: cluster.url, caPem: cluster.caPem, serving })
    const [namespace, folder] = await Promise.all([
      cluster.namespace('followed'),
      mkdtemp(join(cluster.dir, 'pod-')),
    ])
    await Promise.all([
      writeFile(join(folder, 'token'), token),
      writeFile(join(folder, 'ca.crt'), cluster.caPem),
    ])
    const source = serviceAccountSource('127.0.0.1', String(relay.port), folder)
    const client = await openKubeClient({ source, userAgent: 'followed', ...seams })
    const parts = { cluster, namespace, relay, folder, client }
    const followed = new Followed(parts, options)
    await until('the watch', () => followed.reflector.synced && relay.watches.length > 0)
    return followed
  }

  get collection(): ApiPath {
    return `/api/v1/namespaces/${this.namespace}/configmaps`
  }

  /** Waits until the copy equals a fresh list by somebody else. */
  async untilEqualToList(ms?: number): Promise<void> {
    const list = await this.cluster.must('GET', this.collection)
    const expected = JSON.stringify(sorted(listAt(list, 'items').map(seenOf)))
    await until(
      'the copy equals a fresh list',
      () => JSON.stringify(sorted(this.reflector.values())) === expected,
      ms,
    )
    this.mirror.assertEquals(this.reflector.values())
  }

  /** The API server was asked for at most one list a second. */
  assertFewLists(): void {
    const lists = this.relay.asked.list.length
    const seconds = (performance.now() - this.#began) / 1_000
    assert.ok(lists <= 1 + seconds, `${lists} lists in ${seconds.toFixed(1)} s`)
  }

  /** Resolves when the reflector has ended; what it waits for is broken off. */
  async end(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async stop(): Promise<void> {
    await this.end()
    await this.#client.close()
    await this.relay.stop()
  }
}

function seenOf(object: Json): Seen {
  const of = (key: string) => textAt(object, 'metadata', key)
  return {
    uid: of('uid'),
    namespace: of('namespace'),
    name: of('name'),
    resourceVersion: of('resourceVersion'),
  }
}
