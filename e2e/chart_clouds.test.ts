import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, conditionOf, type Json, listAt, textAt } from './harness/json.ts'
import { createVaultCa } from './product/ca.ts'
import { installChart, renderedController } from './product/chart.ts'
import { startController } from './product/controller.ts'
import type { DevVault } from './product/dev_vault.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import { controllerUser } from './product/our_calls.ts'
import { certificatesIn, clusterIssuers, type Scene, startScene } from './product/scene.ts'
import { bindingAudience, startTokenProxy } from './product/token_proxy.ts'

process.env.INSTALL = 'chart'

/** What an issuer with a vault in the cloud asks of Entra. */
const clouds = [
  {
    name: 'china',
    vault: 'contoso.vault.azure.cn',
    authority: 'login.partner.microsoftonline.cn',
    resource: 'https://vault.azure.cn',
  },
  {
    name: 'government',
    vault: 'contoso.vault.usgovcloudapi.net',
    authority: 'login.microsoftonline.us',
    resource: 'https://vault.usgovcloudapi.net',
  },
] as const

const managedHsm = 'contoso.managedhsm.azure.net'
const vaults = ['contoso', managedHsm, ...clouds.map(({ vault }) => vault)]
const vaultHostSuffixes = [
  '.vault.azure.net',
  '.managedhsm.azure.net',
  '.vault.azure.cn',
  '.vault.usgovcloudapi.net',
]

describe('vaults elsewhere than in the public cloud', () => {
  let scene: Scene
  before(async () => {
    const controller = { vaultHostSuffixes, probeInterval: '2s' }
    scene = await startScene({ vaults, chartValues: { controller } })
  })
  after(() => scene?.stop())

  for (const { name, vault: host, authority, resource } of clouds) {
    test(`${name}: authority, scope and audience follow from the host of the vault`, async () => {
      const vault = scene.vault.other(host)
      await scene.ready(await issuer(name, vault))
      await issues(name)
      assert.deepEqual(await tokensFor(resource), [`${authority} 200`])
      assert.deepEqual(await signaturesOf(vault), [`${host} 200`])
    })
  }

  test('nothing but tokens is asked of an authority, and of the own one alone', async () => {
    const operations = (await requests()).map((request) => textAt(request, 'operation'))
    assert.deepEqual([...new Set(operations)].sort(), ['entra/token', 'keys/sign'])
    assert.deepEqual(await tokensFor('https://vault.azure.net'), ['login.microsoftonline.com 200'])
  })

  test('no token is asked for a vault whose suffix the operator left out', async () => {
    const elsewhere = scene.vault.other('contoso.managedhsm.azure.cn')
    const path = await issuer('left-out', elsewhere, scene.ca)
    assert.equal(
      messageOf(await scene.ready(path, 'False', 'VaultHostNotAllowed')),
      'vaultUrl host "contoso.managedhsm.azure.cn" does not end in one of the allowed suffixes ' +
        `${vaultHostSuffixes.join(', ')}; correct vaultUrl, or have the operator of the controller ` +
        'extend --vault-host-suffixes',
    )
    assert.deepEqual(await tokensFor('https://managedhsm.azure.cn'), [])
  })

  test('a Managed HSM signs once its own roles allow it', async () => {
    const { vault } = scene
    const hsm = vault.other(managedHsm)
    const { clientId } = vault.identity('akv-issuer')
    const path = await issuer('hsm', hsm)
    assert.match(
      messageOf(await scene.ready(path, 'False', 'VaultForbidden')),
      new RegExp(
        'HTTP 403 AccessDenied: Not authorized to access ' +
          'Microsoft\\.KeyVault/managedHsm/keys/sign/action on /keys/ca \\(Activity ID: \\w+\\) — ' +
          `grant client ${clientId} the role "Managed HSM Crypto User", or one with the data action ` +
          'Microsoft\\.KeyVault/managedHsm/keys/sign/action, on the Managed HSM \\(az keyvault role ' +
          'assignment create --hsm-name\\); a new role assignment takes some minutes to work$',
      ),
    )
    await grant(managedHsm)
    await scene.ready(path)
    await issues('hsm')
    assert.deepEqual(await tokensFor('https://managedhsm.azure.net'), [
      'login.microsoftonline.com 200',
    ])
    assert.deepEqual(await signaturesOf(hsm), [`${managedHsm} 200`, `${managedHsm} 403`])
    const key = await hsm.manage('GET', 'keys/ca')
    assert.equal(textAt(key, 'key', 'kty'), 'EC-HSM')
  })

  test('a Managed HSM gives no certificates', async () => {
    const vaultUrl = scene.vault.other(managedHsm).url
    const version = '0123456789abcdef0123456789abcdef'
    const refused = async (spec: object) => {
      const issuerOf = {
        ...clusterIssuer('refused', vaultUrl, scene.ca),
        spec: { vaultUrl, ...spec },
      }
      const { code, body } = await scene.cluster.api('POST', clusterIssuers, issuerOf)
      assert.equal(code, 422)
      return textAt(body, 'message')
    }
    assert.match(
      await refused({ certificates: [{ name: 'myapp', namespaces: { all: true } }] }),
      /certificates need a vault; a Managed HSM has keys only/,
    )
    assert.match(
      await refused({ ca: { certificate: { keyVaultCertificate: { name: 'ca', version } } } }),
      /a Managed HSM has keys only; give certificates and chains by pem or configMapRef/,
    )
  })

  test('with an identity binding, tokens come through the proxy of the cluster', async (t) => {
    const { cluster, vault, ca } = scene
    const clientId = '77777777-7777-4777-8777-777777777777'
    const permissions = [{ actions: ['keys/sign/action'] }]
    await vault.admin('PUT', '/identities', { name: 'bound', clientId, permissions })
    const proxy = await startTokenProxy(cluster, vault, clientId)
    t.after(() => proxy.stop())
    await scene.controller.stop()
    await installChart(cluster, { workloadIdentity: { clientId, identityBinding: true } })
    const { deployment } = await renderedController(cluster)
    const annotation = 'azure.workload.identity/use-identity-binding'
    const pod = at(deployment, 'spec', 'template', 'metadata')
    assert.equal(textAt(pod, 'annotations', annotation), 'true')

    const { env } = proxy
    await startController(cluster, vault, { name: 'bound', audience: bindingAudience, env })
    const vaultUrl = vault.url
    await cluster.must('POST', clusterIssuers, clusterIssuer('bound', vaultUrl, ca))
    await scene.ready(`${clusterIssuers}/bound`)
    await issues('bound')
    const { clientId: unbound } = vault.identity('akv-issuer')
    const identity = { workload: { clientId: unbound } }
    await cluster.must('POST', clusterIssuers, clusterIssuer('unbound', vaultUrl, ca, { identity }))
    const refusal = await scene.ready(`${clusterIssuers}/unbound`, 'False', 'IdentityRefused')
    assert.match(
      messageOf(refusal),
      /^the cluster's token proxy https:.* answered HTTP 403 .* — check/,
    )

    const of = (client: string) => proxy.exchanges.filter((each) => each.clientId === client)
    const exchanged = { serverName: env.AZURE_KUBERNETES_SNI_NAME, user: controllerUser }
    const had = of(clientId).find(({ status }) => status === 200)
    assert.deepEqual(had, { ...exchanged, clientId, status: 200 })
    assert.deepEqual(of(unbound)[0], { ...exchanged, clientId: unbound, status: 403 })
    // Entra was shown no other token for the client than the proxy's, which alone it takes.
    const refused = (await requests()).filter(
      (each) => at(each, 'clientId') === clientId && at(each, 'status') === 401,
    )
    assert.deepEqual(refused, [])
  })

  /** A ClusterIssuer that signs with a CA of the vault, a new one if none is given. */
  async function issuer(name: string, vault: DevVault, ca?: Scene['ca']) {
    const ofVault = ca ?? (await createVaultCa(vault, 'ca'))
    await scene.cluster.must('POST', clusterIssuers, clusterIssuer(name, vault.url, ofVault))
    return `${clusterIssuers}/${name}` as const
  }

  async function issues(issuerName: string): Promise<void> {
    const namespace = await scene.cluster.namespace(issuerName)
    const asked = certificate('a', { issuer: issuerName })
    await scene.cluster.must('POST', certificatesIn(namespace), asked)
    await scene.ready(`${certificatesIn(namespace)}/a`)
  }

  /** Lets the controller sign with all keys, of the Managed HSM too. */
  async function grant(hsm: string): Promise<void> {
    const identities = listAt(await scene.vault.admin('GET', '/identities'), 'identities')
    const ours = identities.find((each) => at(each, 'name') === 'akv-issuer')
    const actions = ['keys/sign/action']
    await scene.vault.admin('PUT', '/identities', {
      name: 'akv-issuer',
      clientId: textAt(ours, 'clientId'),
      federation: listAt(ours, 'federation'),
      permissions: [{ actions }, { actions, vault: hsm }],
    })
  }

  async function requests(): Promise<readonly Json[]> {
    return listAt(await scene.vault.admin('GET', '/requests'), 'requests')
  }

  /** Who was asked for tokens for a resource, as `login.microsoftonline.com 200`, each once. */
  async function tokensFor(resource: string): Promise<readonly string[]> {
    return hostsAndStatus((await requests()).filter((each) => at(each, 'resource') === resource))
  }

  async function signaturesOf({ name }: DevVault): Promise<readonly string[]> {
    const ofVault = (await requests()).filter((each) => at(each, 'vault') === name)
    return hostsAndStatus(ofVault.filter((each) => at(each, 'operation') === 'keys/sign'))
  }
})

function hostsAndStatus(requests: readonly Json[]): readonly string[] {
  const words = requests.map((each) => `${textAt(each, 'host')} ${String(at(each, 'status'))}`)
  return [...new Set(words)].sort()
}

function messageOf(object: Json): string {
  return textAt(conditionOf(object, 'Ready'), 'message')
}
