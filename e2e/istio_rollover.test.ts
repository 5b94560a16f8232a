import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createCertificate } from './harness/istio/certificate_service.ts'
import { istioCrds } from './harness/istio/istio_crds.ts'
import { istioNamespace } from './harness/istio/istiod.ts'
import { certify, createIdentity, meet, type Workload } from './harness/istio/workload.ts'
import { at } from './harness/json.ts'
import { istioLeftOut } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { createVaultCa, type VaultCa } from './product/ca.ts'
import { textOf } from './product/delivery_scene.ts'
import { cacertsPath, meshRoots, shownBy } from './product/mesh.ts'
import { MeshAgent } from './product/mesh_agent.ts'
import { followGateway, MeshTraffic } from './product/mesh_traffic.ts'
import { faultsOf } from './product/mesh_workloads.ts'
import { renewByHand } from './product/renewal.ts'
import { clusterIssuers } from './product/scene.ts'
import { type SharedMesh, type SharedMeshes, startSharedMeshes } from './product/shared_meshes.ts'
import { certificatesOf, idOf, readSecret } from './product/tls_secret.ts'
import type { Tutorial } from './tutorial/tutorial.ts'

const title = 'the root of two meshes is followed by another, by docs/runbooks/root_rollover.md'

/** What the runbook calls a workload lifetime, 24 h: proxies renew at half of it. */
const lifetimeMs = 4_000

describe(title, { skip: istioLeftOut() }, () => {
  let all: SharedMeshes
  let meshes: readonly [SharedMesh, SharedMesh]
  let runbooks: readonly [Tutorial, Tutorial]
  let oldCa: VaultCa
  let newCa: VaultCa
  let agents: readonly [MeshAgent, MeshAgent]
  let traffic: MeshTraffic
  /** As they were one step before. */
  let lastRoots = ''
  /** Of the first mesh, below the old root and good for an hour. */
  let early: Workload
  before(async () => {
    const crds = await istioCrds(['gateways', 'virtualservices'])
    all = await startSharedMeshes({ crds, controllerFlags: ['--probe-interval=2s'] })
    meshes = all.meshes
    const [a, b] = meshes
    oldCa = all.ca
    newCa = await createVaultCa(a.scene.vault, 'mesh-root-b')
    const versions = new Map([['fedcba9876543210fedcba9876543210', newCa.key.version]])
    const file = 'docs/runbooks/root_rollover.md'
    runbooks = [a.open(file, versions), b.open(file, versions)]
    for (const { folder } of runbooks) writeFileSync(join(folder, 'mesh-root-b.crt'), newCa.pem)
    for (const { tutorial } of meshes) await tutorial.follow('A gateway in each cluster')
    early = await certify(a.istiod, await createIdentity(a.istiod, 'apps', 'early'), a.roots)
    agents = [
      await MeshAgent.start(a.istiod, 'frontend', lifetimeMs / 2),
      await MeshAgent.start(b.istiod, 'backend', lifetimeMs / 2),
    ]
    traffic = new MeshTraffic([
      [workloadsOf(agents[0], a), workloadsOf(agents[1], b)],
      [await followGateway(a.scene, a.name), await followGateway(b.scene, b.name)],
    ])
  })
  after(async () => {
    await Promise.all([traffic?.stop(), ...(agents ?? []).map((agent) => agent.stop())])
    await all?.stop()
  })

  /** The section in both clusters at once. */
  const follow = (section: string) =>
    Promise.all([runbooks[0].follow(section), runbooks[1].follow(section)])

  /** What is in the Secrets and told to workloads is this in both clusters, to the octet. */
  const assertRoots = async (expected: string) => {
    // Istio up to 1.29 takes it by bytes.Contains.
    assert.ok(expected.includes(lastRoots) || lastRoots.includes(expected))
    lastRoots = expected
    for (const { scene, istiod } of meshes) {
      for (const name of ['cacerts', 'istio-ingressgateway-certs']) {
        const { secret } = await readSecret(scene, istioNamespace, name)
        assert.equal(textOf(secret, 'ca.crt'), expected, `${name} of ${istiod.clusterId}`)
      }
      assert.equal(await meshRoots(istiod, istioNamespace), expected)
    }
  }

  /** Both sign with what hangs on the CA, and istiod has it in use. */
  const assertSignedBy = async ({ pem }: VaultCa) => {
    const [root] = certificatesOf(pem)
    for (const { scene, istiod } of meshes) {
      const { leaf, secret } = await readSecret(scene, istioNamespace, 'cacerts')
      assert.ok(root && leaf.verify(root.publicKey), `cacerts of ${istiod.clusterId}`)
      await until(`${istiod.clusterId} signs with it`, async () => {
        const [, intermediate] = await shownBy(istiod, textOf(secret, 'ca.crt'))
        return idOf(intermediate) === idOf(leaf)
      })
    }
  }

  const waitLifetime = async () => {
    const renewed = agents.map((agent) => agent.renewed(2))
    await delay(lifetimeMs)
    // On a machine that is short of time they come late.
    await Promise.all(renewed)
    assert.deepEqual(traffic.failures, [])
  }

  test('before: the old root, and it signs', async () => {
    await follow('1. Before')
    await assertRoots(oldCa.pem)
    await assertSignedBy(oldCa)
    assert.deepEqual(traffic.failures, [])
  })

  test('trust both: the old bytes are in the new ones in a row, and the old root signs', async () => {
    const [digestA, digestB] = await follow('2. Trust both')
    assert.equal(lastLine(digestA), lastLine(digestB))
    await assertRoots(oldCa.pem + newCa.pem)
    await assertSignedBy(oldCa)
    await waitLifetime()
    for (const { workload } of agents) assert.equal(workload.roots, oldCa.pem + newCa.pem)
  })

  test('sign with the new one: the roots stay as they are', async () => {
    await follow('3. Sign with the new one')
    await assertRoots(oldCa.pem + newCa.pem)
    await assertSignedBy(newCa)
    await waitLifetime()
    const [root] = certificatesOf(newCa.pem)
    for (const { workload } of agents) {
      const [, intermediate] = certificatesOf(workload.chain)
      assert.ok(root && intermediate?.verify(root.publicKey), workload.identity)
    }
  })

  test('drop the old one: what is left was in the old bytes in a row', async () => {
    const [digestA, digestB] = await follow('4. Drop the old one')
    assert.equal(lastLine(digestA), lastLine(digestB))
    await assertRoots(newCa.pem)
    await assertSignedBy(newCa)
    await waitLifetime()
    for (const { workload } of agents) assert.equal(workload.roots, newCa.pem)
  })

  test('until it is restarted istiod refuses client certificates below the new root', async () => {
    const [{ istiod }] = meshes
    const { key, chain } = agents[0].workload
    const { csr } = await createIdentity(istiod, 'apps', 'frontend')
    const renew = () => {
      const credential = { certificate: chain, key }
      return createCertificate(istiod, { csr, roots: newCa.pem, credential })
    }
    await assert.rejects(renew(), /unknown ca/)
    await Promise.all(meshes.map((mesh) => mesh.istiod.process.restart()))
    assert.equal((await renew()).at(-1), newCa.pem)
    await follow('5. Restart istiod')
    assert.deepEqual([runbooks[0].left, runbooks[1].left], [[], []])
  })

  test('nothing that followed the runbook has failed a handshake', async (t) => {
    await waitLifetime()
    await traffic.stop()
    const [a, b] = agents
    t.diagnostic(`${traffic.handshakes} handshakes, ${traffic.failures.length} failed`)
    t.diagnostic(`workload certificates: ${a.describe()}; ${b.describe()}`)
    assert.ok(traffic.handshakes >= 300, `${traffic.handshakes} handshakes`)
    for (const [server, client] of [
      [a.workload, b.workload],
      [b.workload, a.workload],
    ] as const) {
      assert.deepEqual(await faultsOf({ chain: server.chain, roots: client.roots }), [])
    }
  })

  test('what hangs on the old root is refused now', async () => {
    const met = await meet(agents[1].workload, { ...early, roots: newCa.pem })
    assert.equal(met.server, 'SELF_SIGNED_CERT_IN_CHAIN')
  })

  test('a cluster that signs with a root before the other trusts it is cut off', async (t) => {
    const [{ scene, istiod }] = meshes
    const path = `${clusterIssuers}/mesh-ca` as const
    const next = { key: oldCa.key, certificate: { pem: oldCa.pem }, activate: true }
    await scene.cluster.must('PATCH', path, { spec: { ca: { next } } })
    await scene.object(path, 'signs with the other key', (issuer) =>
      String(at(issuer, 'status', 'ca', 'keyId')).endsWith(oldCa.key.version),
    )
    await renewByHand(scene, cacertsPath)
    await until('istiod tells of both', async () => {
      return (await meshRoots(istiod, 'apps')) === newCa.pem + oldCa.pem
    })
    const ahead = new MeshTraffic([
      [workloadsOf(agents[0], meshes[0]), workloadsOf(agents[1], meshes[1])],
    ])
    await until('handshakes fail', () => ahead.failures.length > 0, 3 * lifetimeMs)
    await ahead.stop()
    t.diagnostic(ahead.failures[0] ?? '')
    assert.match(ahead.failures.join('\n'), /self-signed certificate in certificate chain/i)
  })
})

function workloadsOf(agent: MeshAgent, { name }: SharedMesh) {
  return { name, now: () => agent.workload }
}

function lastLine(printed: string): string | undefined {
  return printed.trim().split('\n').at(-1)
}
