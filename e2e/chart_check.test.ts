import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { caCases } from './bad_input/ca_cases.ts'
import type { Case } from './bad_input/case.ts'
import { identityCases } from './bad_input/identity_cases.ts'
import { vaultCases } from './bad_input/vault_cases.ts'
import { commandsByCase } from './check/commands.ts'
import { findingOf, Laptop, resultsOf } from './check/laptop.ts'
import { at, listAt, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { createVaultCa } from './product/ca.ts'
import { createSelfSigned, deliverIssuer, LeafIssuer } from './product/delivered.ts'
import { clusterIssuer } from './product/manifests.ts'
import { clusterIssuers, issuersIn, type Scene, startScene } from './product/scene.ts'

/** The commands of docs/check.md, by somebody with a kubeconfig and `az login`. */
describe('akv-issuer check', () => {
  let scene: Scene
  let laptop: Laptop
  let dir = ''
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'check-'))
    scene = await startScene({
      controllerFlags: ['--probe-interval=2s', '--vault-host-suffixes=.vault.azure.net'],
    })
    laptop = await Laptop.setUp(scene, dir)
  })
  after(async () => {
    await scene?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('shows an issuer that works, and whose proof each line is', async () => {
    const { code, text } = await laptop.check(['clusterissuer/akv-issuer'])
    assert.equal(
      laptop.steady(text),
      `ClusterIssuer/akv-issuer at https://contoso.vault.azure.net

In the cluster SERVER
  ok       cluster     it answers, as Kubernetes VERSION
  ok       crd         clusterissuers.keyvault.akv-issuer.io has every field that this version reads
  ok       controller  REPLICA leads, by the Lease akv-issuer in namespace "akv-issuer"
  ok       approver    cert-manager's own approver may approve requests for clusterissuers.keyvault.akv-issuer.io

What the controller found, as its workload identity
  ok       Ready       https://contoso.vault.azure.net/keys/ca/VERSION signed a test (ES256) that verifies with the CA certificate "CN=ca,O=Contoso", valid until TIME
  ok       CAExpiring  every CA of the chain has 30 days or more left
  ok       CALimited   the chain limits no usages, names or CAs below it
  ok       CARollover  spec.ca.next is not set, and no CertificateRequest shows the roots of a rollover

From here, as client OPERATOR
  ok       vault       contoso.vault.azure.net answers, and takes tokens of tenant TENANT
  ok       token       Entra gave one to client OPERATOR
  ok       policy      spec.policy can be read
  ok       ca          "CN=ca,O=Contoso" is fit to issue, valid until TIME, and its own root
  ok       signature   https://contoso.vault.azure.net/keys/ca/VERSION signed a test (ES256) that verifies with the CA certificate
  ok       key         ECDSA P-256 in software, without an expiry date
  ok       roots       goes out with each certificate: "CN=ca,O=Contoso" (sha256 HASH)

  This is what works from here. Whether it does for the controller, in the cluster and as its
  workload identity, the part above says.

15 ok
`,
      text,
    )
    assert.equal(code, 0)
  })

  test('of an issuer that delivers, fetches keys only when told to', async () => {
    const { cluster, vault } = scene
    await new LeafIssuer().import(vault, 'myapp')
    await cluster.must('POST', clusterIssuers, deliverIssuer('sites', vault.url, ['myapp']))
    await scene.ready(`${clusterIssuers}/sites`)
    const reads = async () =>
      Number(at(await vault.admin('GET', '/counters'), 'secrets/get', 'contoso/myapp', '200') ?? 0)

    const without = await laptop.found(['clusterissuer/sites'])
    assert.deepEqual([without.code, without.result, await reads()], [0, 'ok', 0])
    assert.equal(at(findingOf(without, 'myapp key'), 'result'), 'skipped')
    const seen = await laptop.found(['clusterissuer/sites', '--with-keys'])
    assert.deepEqual([seen.code, await reads()], [0, 1])
    assert.equal(
      at(findingOf(seen, 'myapp key'), 'message'),
      'it can be delivered, with its chain up to "CN=Fabrikam Root"',
    )
  })

  describe('gives the command that mends', () => {
    let cases: readonly Case[]
    before(async () => {
      const all = [...(await vaultCases(scene)), ...(await identityCases(scene)), ...caCases(scene)]
      cases = all.filter(({ name }) => Object.hasOwn(commandsByCase, name))
      for (const { name, spec } of cases) {
        const issuer = clusterIssuer(name, scene.vault.url, scene.ca, { ...spec })
        await scene.cluster.must('POST', clusterIssuers, issuer)
      }
    })

    for (const [name, commands] of Object.entries(commandsByCase)) {
      test(name.replaceAll('-', ' '), async () => {
        const { reason, message } = cases.find((one) => one.name === name) ?? assert.fail(name)
        await scene.ready(`${clusterIssuers}/${name}`, 'False', reason)
        const seen = await laptop.found([`clusterissuer/${name}`])
        const ready = findingOf(seen, 'Ready')
        const given = listAt(ready, 'commands').map((command) =>
          String(command).replace(/--(key-)?version [0-9a-f]{32}/, '--$1version VERSION'),
        )
        assert.deepEqual(
          {
            code: seen.code,
            reason: at(ready, 'code'),
            message: at(ready, 'message'),
            commands: given,
          },
          { code: 1, reason, message, commands },
        )
      })
    }
  })

  test('a firewall is of the cluster, and not of the laptop', async () => {
    const { cluster, vault } = scene
    const ca = await createVaultCa(vault, 'walled')
    await vault.admin('POST', '/faults', {
      operation: 'keys/sign',
      object: 'contoso/walled',
      count: 1_000,
      status: 403,
      headers: { 'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=203.0.113.7;' },
      body: {
        error: {
          code: 'Forbidden',
          message: 'Client address is not authorized.',
          innererror: { code: 'ForbiddenByFirewall' },
        },
      },
    })
    await cluster.must('POST', clusterIssuers, clusterIssuer('walled', vault.url, ca))
    await scene.ready(`${clusterIssuers}/walled`, 'False', 'VaultForbidden')
    const seen = await laptop.found(['clusterissuer/walled'])
    assert.equal(seen.code, 1)
    assert.deepEqual(at(findingOf(seen, 'Ready'), 'commands'), [
      'az keyvault network-rule add --name contoso --ip-address 203.0.113.7',
    ])
    assert.equal(at(findingOf(seen, 'signature'), 'result'), 'skipped')

    // Of a file nobody has proven anything.
    const input = JSON.stringify(clusterIssuer('walled-too', vault.url, ca))
    const ofFile = await laptop.found(['--file=-'], { input })
    assert.equal(at(findingOf(ofFile, 'signature'), 'result'), 'failed')
  })

  test('who may do nothing in the vault finds no fault with an issuer that works', async () => {
    const { vault } = scene
    const nobody = await laptop.found(['clusterissuer/akv-issuer'], { env: { PATH: '/nowhere' } })
    assert.deepEqual([nobody.code, nobody.result], [0, 'ok'])
    assert.deepEqual(resultsOf(nobody).slice(-3), [
      'caller vault ok',
      'caller token skipped',
      'caller sign skipped',
    ])
    const clientId = '55555555-5555-5555-5555-555555555555'
    await vault.admin('PUT', '/identities', { clientId, secrets: ['guest'] })
    const env = {
      AZURE_TENANT_ID: vault.tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: 'guest',
    }
    const seen = await laptop.found(['clusterissuer/akv-issuer'], { env })
    assert.equal(seen.code, 0)
    assert.match(
      textAt(findingOf(seen, 'signature'), 'message'),
      /^not to be seen from here: could not sign .*ForbiddenByRbac/,
    )
  })

  test("the issuer's own identity is proven by whoever may have its Secret or its tokens", async () => {
    const { vault, ca } = scene
    const { clientId } = vault.identity('akv-issuer')
    const check = (identity: object) => {
      const input = JSON.stringify(clusterIssuer('from-file', vault.url, ca, { identity }))
      return laptop.found(['--file=-', '--identity=issuer'], { input })
    }
    const controllers = await check({ workload: { clientId, tenantId: vault.tenantId } })
    assert.deepEqual([controllers.code, controllers.result], [0, 'ok'])
    assert.equal(
      at(findingOf(controllers, 'token'), 'message'),
      `Entra gave one to client ${clientId}`,
    )

    const stranger = '44444444-4444-4444-4444-444444444444'
    const secretRef = { name: 'stranger', key: 'value' }
    const strangers = await check({
      clientSecret: { tenantId: vault.tenantId, clientId: stranger, secretRef },
    })
    assert.equal(strangers.code, 1)
    assert.deepEqual(
      at(findingOf(strangers, 'signature'), 'commands'),
      commandsByCase['may-not-sign'],
    )

    // What the controller's account stands for is nowhere to be read in this cluster.
    const unknown = await laptop.found(['clusterissuer/akv-issuer', '--identity=issuer'])
    assert.deepEqual([unknown.code, resultsOf(unknown).at(-1)], [0, 'caller token skipped'])
  })

  test('a file is judged by the API server too, and nothing is stored', async () => {
    const { cluster, vault, ca } = scene
    const right = clusterIssuer('from-file', vault.url, ca)
    const good = await laptop.found(['--file=-'], { input: JSON.stringify(right) })
    assert.deepEqual([good.code, good.result], [0, 'ok'])
    assert.equal(at(findingOf(good, 'schema'), 'result'), 'ok')

    const mistyped = clusterIssuer('from-file', vault.url, ca, { polciy: {} })
    const typo = await laptop.found(['--file=-'], { input: JSON.stringify(mistyped) })
    assert.match(textAt(findingOf(typo, 'schema'), 'message'), /spec\.polciy/)
    assert.deepEqual(at(findingOf(typo, 'schema'), 'commands'), [
      'kubectl explain clusterissuers.keyvault.akv-issuer.io.spec --recursive',
    ])
    assert.equal((await cluster.api('GET', `${clusterIssuers}/from-file`)).code, 404)
  })

  test('what cannot be delivered is named, each with its command', async () => {
    const { vault } = scene
    await createSelfSigned(vault, 'fixed', { key_props: { exportable: false } })
    const { version } = await new LeafIssuer().import(vault, 'off')
    await vault.manage('PATCH', `certificates/off/${version}`, { attributes: { enabled: false } })
    const input = JSON.stringify(deliverIssuer('sites', vault.url, ['fixed', 'off', 'nosuch']))
    const seen = await laptop.found(['--file=-', '--with-keys'], { input })
    const wrong = seen.findings.filter((one) => at(one, 'result') === 'failed')
    assert.deepEqual(
      [
        seen.code,
        wrong.map((one) => [at(one, 'probe'), at(one, 'code'), listAt(one, 'commands')[0]]),
      ],
      [
        1,
        [
          [
            'fixed key',
            'CertificateInvalid',
            'az keyvault certificate show --vault-name contoso --name fixed --query policy --output json \\\n' +
              `  | sed 's/"exportable": false/"exportable": true/' > policy.json`,
          ],
          [
            'off',
            'CertificateInvalid',
            `az keyvault certificate set-attributes --vault-name contoso --name off \\\n  --version ${version} --enabled true`,
          ],
          [
            'nosuch',
            'VaultNotFound',
            'az keyvault certificate list-versions --vault-name contoso --name nosuch --output table',
          ],
        ],
      ],
    )
  })

  test('a namespaced Issuer without an identity of its own', async () => {
    const { cluster, vault, ca } = scene
    const namespace = await cluster.namespace('team')
    const { spec } = clusterIssuer('own', vault.url, ca, { identity: { workload: {} } })
    const issuer = { apiVersion: 'keyvault.akv-issuer.io/v1alpha1', kind: 'Issuer', spec }
    await cluster.must('POST', issuersIn(namespace), { ...issuer, metadata: { name: 'own' } })
    await scene.ready(`${issuersIn(namespace)}/own`, 'False', 'IdentityRefused')
    const seen = await laptop.found(['issuer/own', `--namespace=${namespace}`])
    assert.equal(seen.code, 1)
    assert.deepEqual(at(findingOf(seen, 'Ready'), 'commands'), [
      'helm upgrade akv-issuer charts/akv-issuer --namespace akv-issuer --reuse-values \\\n' +
        '  --set controller.issuerAmbientIdentity=true',
    ])
    assert.equal(at(findingOf(seen, 'signature'), 'result'), 'ok')
  })

  test('a kubeconfig that may see little leaves out the rest', async () => {
    const { cluster } = scene
    const { kubeconfig } = await cluster.serviceAccount('default', 'reader')
    const name = 'check-reader'
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    await cluster.must('POST', `${rbac}/clusterroles`, {
      metadata: { name },
      rules: [
        { apiGroups: ['keyvault.akv-issuer.io'], resources: ['clusterissuers'], verbs: ['get'] },
      ],
    })
    await cluster.must('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'reader' }],
    })
    const seen = await until('the right works', async () => {
      const now = await laptop.found(['clusterissuer/akv-issuer'], { kubeconfig })
      return now.code === 0 && now
    })
    assert.deepEqual(resultsOf(seen).slice(0, 5), [
      'kubeconfig cluster ok',
      'kubeconfig crd skipped',
      'kubeconfig controller skipped',
      'kubeconfig approver skipped',
      'controller Ready ok',
    ])
  })

  test('an issuer, a controller, a kind, a cluster that are not there', async () => {
    const { cluster, controller } = scene
    const gone = await laptop.found(['clusterissuer/nosuch'])
    assert.equal(gone.code, 1)
    const { code, message, commands } = Object(findingOf(gone, 'issuer'))
    assert.deepEqual(
      { code, message, commands },
      {
        code: 'IssuerNotFound',
        message: 'ClusterIssuer/nosuch not found; check name and namespace',
        commands: ['kubectl get clusterissuers.keyvault.akv-issuer.io'],
      },
    )

    await controller.stop()
    const led = await laptop.found(['clusterissuer/akv-issuer'])
    assert.deepEqual([led.code, at(findingOf(led, 'controller'), 'code')], [1, 'LeaseNotHeld'])

    const approver = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
    const bindings = listAt(await cluster.must('GET', approver), 'items')
    for (const name of bindings.map((one) => textAt(one, 'metadata', 'name'))) {
      if (/approve/.test(name)) await cluster.must('DELETE', `${approver}/${name}`)
    }
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    await cluster.must('DELETE', `${crds}/issuers.keyvault.akv-issuer.io`)
    const seen = await until('neither kind nor approver', async () => {
      const now = await laptop.found(['issuer/own', '--namespace=default'])
      const codes = new Set(now.findings.map((one) => at(one, 'code')))
      return codes.has('CrdMissing') && codes.has('ApproverMissing') && now
    })
    assert.deepEqual(at(findingOf(seen, 'crd'), 'commands'), [
      'kubectl apply --server-side --filename config/crd',
    ])
    assert.deepEqual(at(findingOf(seen, 'approver'), 'commands'), [
      'kubectl apply --server-side --filename config/rbac/approver.yaml',
    ])

    const nowhere = await laptop.found(['issuer/own'], { kubeconfig: join(dir, 'none') })
    assert.deepEqual(resultsOf(nowhere), ['kubeconfig cluster failed'])
  })
})
