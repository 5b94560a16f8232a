import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type Json, listAt, textAt } from './harness/json.ts'
import { runCommand } from './product/command.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  startDeliveryScene,
  textOf,
} from './product/delivery_scene.ts'
import { Observer } from './product/observer.ts'
import { issued } from './product/tls_secret.ts'

/** The steps of docs/moving.md that move a Secret under its name. */
describe('a Secret that another tool made', () => {
  let here: DeliveryScene
  before(async () => {
    here = await startDeliveryScene()
  })
  after(() => here?.scene.stop())

  /** A Secret as the other tools make it: the pair of Key Vault, owned by an object of the tool. */
  async function createdByTool(name: string, more: object = {}): Promise<Json> {
    const { scene, namespace } = here
    const { cluster, vault } = scene
    const place = ['--format=secret', `--secret-name=${name}-tls`, `--namespace=${namespace}`]
    const which = [`--vault=${vault.url}`, `--certificate=${name}`]
    const { code, stdout, stderr } = await runCommand(vault, ['export', ...which, ...place])
    assert.equal(code, 0, stderr)
    const lines = stdout.toString().matchAll(/^ {2}(tls\.\w+): (.+)$/gm)
    const data = Object.fromEntries([...lines].map(([, key, value]) => [key, value]))
    const owner = await cluster.must('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name: `owner-of-${name}` },
    })
    const ownerReference = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: `owner-of-${name}`,
      uid: textAt(owner, 'metadata', 'uid'),
      controller: true,
      blockOwnerDeletion: true,
    }
    const path = `/api/v1/namespaces/${namespace}/secrets?fieldManager=external-secrets` as const
    return await cluster.must('POST', path, {
      metadata: {
        name: `${name}-tls`,
        labels: { 'reconcile.external-secrets.io/managed': 'true' },
        ownerReferences: [ownerReference],
      },
      type: 'kubernetes.io/tls',
      data,
      ...more,
    })
  }

  async function kubectl(...args: readonly string[]): Promise<void> {
    const { scene, namespace } = here
    const { code, stderr } = await scene.cluster.kubectl(['-n', namespace, ...args])
    assert.equal(code, 0, stderr)
  }

  const kinds = [
    { name: 'same', what: 'with the version that Key Vault has', more: {}, rotated: false },
    { name: 'older', what: 'with a version that was rotated since', more: {}, rotated: true },
    { name: 'opaque', what: 'of type Opaque', more: { type: 'Opaque' }, rotated: false },
  ] as const
  for (const { name, what, more, rotated } of kinds) {
    test(`${what} is taken over, with a valid pair at every moment`, async () => {
      const { scene, leaves, namespace } = here
      const first = await leaves.import(scene.vault, name)
      const made = await createdByTool(name, more)
      const current = rotated ? await leaves.import(scene.vault, name) : first
      await createDeliverIssuer(here, name)
      const observer = new Observer(scene, namespace)

      const removal = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
      await kubectl('patch', 'secret', `${name}-tls`, '--type=json', '-p', removal)
      await createCertificate(here, name)
      await issued(scene, namespace, name)
      const taken = await deliveredSecret(here, name, current)
      const next = await leaves.import(scene.vault, name)
      await deliveredSecret(here, name, next)
      await issued(scene, namespace, name)
      observer.stop()
      assert.deepEqual(observer.faults, [])
      // The tool's own write, the removal of the owner, cert-manager's label, takeover, rotation.
      assert.ok(observer.writesOf(`${name}-tls`) <= 5, String(observer.writesOf(`${name}-tls`)))

      assert.equal(at(taken, 'metadata', 'uid'), at(made, 'metadata', 'uid'))
      assert.equal(at(taken, 'type'), at(made, 'type'))
      assert.equal(at(taken, 'metadata', 'ownerReferences'), undefined)
      assert.notEqual(textOf(taken, 'ca.crt'), '')
      const writers = listAt(taken, 'metadata', 'managedFields').filter((entry) =>
        JSON.stringify(entry).includes('"f:tls.key"'),
      )
      assert.deepEqual(
        writers.map((entry) => at(entry, 'manager')),
        ['cert-manager-certificates-issuing'],
      )
    })
  }
})
