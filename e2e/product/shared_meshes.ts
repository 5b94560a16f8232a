import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Istiod, istioNamespace, startIstiod } from '../harness/istio/istiod.ts'
import type { Tutorial } from '../tutorial/tutorial.ts'
import type { VaultCa } from './ca.ts'
import { textOf } from './delivery_scene.ts'
import { readSecret, type TlsSecret } from './tls_secret.ts'
import {
  type Member,
  startTwoClusters,
  type TwoClusters,
  type TwoClustersOptions,
} from './two_clusters.ts'

/** The mesh of one cluster, made by docs/tutorials/one_ca_for_all_meshes.md. */
export interface SharedMesh extends Member {
  readonly tutorial: Tutorial
  readonly istiod: Istiod
  /** What istiod signs with. */
  readonly cacerts: TlsSecret
  /** `ca.crt` beside it: whom the mesh trusts. */
  readonly roots: string
  /** What the tutorial has one compare between the clusters. */
  readonly digest: string
}

export interface SharedMeshes extends Omit<TwoClusters, 'members'> {
  readonly meshes: readonly [SharedMesh, SharedMesh]
}

/** Two clusters, and the tutorial followed in both until istiod runs. */
export async function startSharedMeshes(options: TwoClustersOptions = {}): Promise<SharedMeshes> {
  const { members, ...rest } = await startTwoClusters(options)
  try {
    const mesh = (member: Member) => startMesh(member, rest.ca)
    return { ...rest, meshes: await Promise.all([mesh(members[0]), mesh(members[1])]) }
  } catch (error) {
    await rest.stop()
    throw error
  }
}

async function startMesh(member: Member, { key, pem }: VaultCa): Promise<SharedMesh> {
  const { name, scene, open } = member
  const versions = new Map([['0123456789abcdef0123456789abcdef', key.version]])
  const tutorial = open('docs/tutorials/one_ca_for_all_meshes.md', versions)
  writeFileSync(join(tutorial.folder, 'ca.crt'), pem)
  await tutorial.follow('Two issuers on one key')
  const printed = await tutorial.follow("istiod's CA, before istiod")
  const cacerts = await readSecret(scene, istioNamespace, 'cacerts')
  // What the tutorial has helm set.
  const env = { ISTIO_MULTIROOT_MESH: 'true' }
  const istiod = await startIstiod(scene.cluster, { clusterId: name, env })
  const digest = printed.trim().split('\n').at(-1) ?? ''
  return { ...member, tutorial, istiod, cacerts, roots: textOf(cacerts.secret, 'ca.crt'), digest }
}
