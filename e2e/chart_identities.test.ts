import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { conditionOf, type Json, textAt } from './harness/json.ts'
import { createVaultCa, type VaultCa } from './product/ca.ts'
import { actAs } from './product/chart.ts'
import { controllerNamespace, federate } from './product/controller.ts'
import type { DevVault } from './product/dev_vault.ts'
import { askedBy } from './product/entra.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import { callsOfOurs, isAccepted } from './product/our_calls.ts'
import { covers, rightsOf } from './product/rights.ts'
import {
  certificatesIn,
  clusterIssuers,
  issuersIn,
  type Scene,
  startScene,
} from './product/scene.ts'

process.env.INSTALL = 'chart'

const sign = [{ actions: ['keys/sign/action'] }]

/** A namespace, its ServiceAccount of the same name, and what they have in Azure. */
interface Team {
  readonly name: string
  readonly clientId: string
  readonly vault: DevVault
  readonly ca: VaultCa
}

describe('an identity for each team', () => {
  let scene: Scene
  let a: Team
  let b: Team
  before(async () => {
    scene = await startScene({
      audit: true,
      controllerFlags: ['--probe-interval=2s'],
      vaults: ['contoso', 'fabrikam'],
    })
    const { vault, ca } = scene
    const fabrikam = vault.other('fabrikam')
    a = { name: 'team-a', clientId: guid('a'), vault, ca }
    b = {
      name: 'team-b',
      clientId: guid('b'),
      vault: fabrikam,
      ca: await createVaultCa(fabrikam, 'ca'),
    }
    for (const team of [a, b]) await setUp(team)
  })
  after(() => scene?.stop())

  test('an account is used only where a Role names it', async () => {
    for (const team of [a, b]) {
      const path = await issuer(team, 'own', {})
      assert.equal(
        messageOf(await scene.ready(path, 'False', 'KubeForbidden')),
        `the controller may not read ServiceAccount "${team.name}" in namespace "${team.name}" — ` +
          `let it by a Role in namespace "${team.name}" with get on serviceaccounts and create on ` +
          `serviceaccounts/token, both with resourceNames ["${team.name}"] (tokenRequest in the ` +
          "chart's values)",
      )
      await actAs(scene.cluster, team.name, team.name)
      await scene.ready(path)
      const own = certificate('a', { kind: 'Issuer', issuer: 'own' })
      await scene.cluster.must('POST', certificatesIn(team.name), own)
      await scene.ready(`${certificatesIn(team.name)}/a`)
    }
  })

  test("no team reaches the other's vault, and the vaults' journal says so", async () => {
    const foreign = await issuer({ ...b, vault: a.vault, ca: a.ca }, 'foreign', {})
    assert.match(
      messageOf(await scene.ready(foreign, 'False', 'VaultForbidden')),
      new RegExp(`grant client ${b.clientId} the role`),
    )
    const claimed = await issuer({ ...b, vault: a.vault, ca: a.ca }, 'claimed', {
      clientId: a.clientId,
    })
    assert.match(
      messageOf(await scene.ready(claimed, 'False', 'IdentityRefused')),
      /AADSTS700213 — add a federated credential whose subject is/,
    )
    const borrowed = await issuer({ ...b, vault: a.vault, ca: a.ca }, 'borrowed', {
      serviceAccountRef: { name: a.name },
    })
    assert.match(
      messageOf(await scene.ready(borrowed, 'False', 'KubeForbidden')),
      /may not read ServiceAccount "team-a" in namespace "team-b"/,
    )
    const asked = async ({ clientId }: Team) => await askedBy(scene.vault, clientId)
    assert.deepEqual(await asked(a), [
      'entra/token  200',
      // What team B asked in the name of team A.
      'entra/token  401',
      'keys/sign contoso 200',
    ])
    assert.deepEqual(await asked(b), [
      'entra/token  200',
      'keys/sign contoso 403',
      'keys/sign fabrikam 200',
    ])
  })

  test('a token of an account is made once, and the controller does it within its rights', async () => {
    const calls = callsOfOurs(await scene.cluster.auditEvents())
    const made = calls.filter(({ subresource, code }) => subresource === 'token' && code === 201)
    assert.deepEqual(made.map(({ namespace, name }) => `${namespace}/${name}`).sort(), [
      'team-a/team-a',
      'team-b/team-b',
    ])
    assert.doesNotMatch(scene.cluster.process('akv-issuer').output(), /eyJ[\w-]+\.eyJ/)
    const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${a.name}/roles` as const
    const role = await scene.cluster.must('GET', `${roles}/akv-issuer-token-request`)
    const used = calls.filter(isAccepted)
    const rights = rightsOf(role)
    assert.deepEqual(
      rights.filter((right) => used.some((event) => covers(right, event, a.name))),
      rights,
    )
    assert.deepEqual(
      rights.map(({ verb, resource, names }) => [verb, resource, names]),
      [
        ['get', 'serviceaccounts', [a.name]],
        ['create', 'serviceaccounts/token', [a.name]],
      ],
    )
  })

  test('an account that was made anew is another one', async () => {
    const accounts = `/api/v1/namespaces/${a.name}/serviceaccounts` as const
    await scene.cluster.must('DELETE', `${accounts}/${a.name}`)
    const path = `${issuersIn(a.name)}/own` as const
    await scene.ready(path, 'False', 'ReferenceNotFound')
    await createAccount(a)
    await scene.ready(path)
    const calls = callsOfOurs(await scene.cluster.auditEvents())
    const made = calls.filter(
      ({ subresource, code, namespace }) =>
        subresource === 'token' && code === 201 && namespace === a.name,
    )
    assert.equal(made.length, 2)
  })

  test('an odd URL is refused before a token is asked for', async () => {
    const { cluster, vault, ca } = scene
    const clientId = guid('c')
    await vault.admin('PUT', '/identities', { clientId, secrets: ['a-secret'], permissions: sign })
    await cluster.must('POST', `/api/v1/namespaces/${controllerNamespace}/secrets`, {
      metadata: { name: 'odd' },
      stringData: { secret: 'a-secret' },
    })
    const secretRef = { name: 'odd', key: 'secret' }
    const identity = { clientSecret: { tenantId: vault.tenantId, clientId, secretRef } }
    const odd = (name: string, vaultUrl: string) =>
      cluster.api('POST', clusterIssuers, clusterIssuer(name, vaultUrl, ca, { identity }))
    for (const [index, url] of unspeakable.entries()) {
      assert.equal((await odd(`unspeakable-${index}`, url)).code, 422, url)
    }
    for (const [index, url] of elsewhere.entries()) {
      assert.equal((await odd(`elsewhere-${index}`, url)).code, 201, url)
      await scene.ready(`${clusterIssuers}/elsewhere-${index}`, 'False', 'VaultHostNotAllowed')
    }
    assert.deepEqual(await askedBy(vault, clientId), [])

    await odd('plain', vault.url)
    await scene.ready(`${clusterIssuers}/plain`)
    assert.deepEqual(await askedBy(vault, clientId), ['entra/token  200', 'keys/sign contoso 200'])
  })

  async function setUp(team: Team): Promise<void> {
    const { cluster, vault } = scene
    await cluster.must('POST', '/api/v1/namespaces', { metadata: { name: team.name } })
    await createAccount(team)
    const permissions = sign.map((each) => ({ ...each, vault: team.vault.name }))
    const { name, clientId } = team
    await vault.admin('PUT', '/identities', { name, clientId, permissions })
    await federate(cluster, vault, clientId, `${name}:${name}`)
  }

  async function createAccount({ name, clientId }: Team): Promise<void> {
    const annotations = { 'azure.workload.identity/client-id': clientId }
    await scene.cluster.must('POST', `/api/v1/namespaces/${name}/serviceaccounts`, {
      metadata: { name, annotations },
    })
  }

  /** An Issuer of the team's namespace, for its vault; `workload` is laid over its own identity. */
  async function issuer({ name: namespace, vault, ca }: Team, name: string, workload: object) {
    const identity = { workload: { serviceAccountRef: { name: namespace }, ...workload } }
    await scene.cluster.must('POST', issuersIn(namespace), {
      ...clusterIssuer(name, vault.url, ca, { identity }),
      kind: 'Issuer',
    })
    return `${issuersIn(namespace)}/${name}` as const
  }
})

/** What the schema refuses. */
const unspeakable = [
  'https://user@contoso.vault.azure.net',
  'https://contoso.vault.azure.net@evil.example',
  'https://contoso.vault.azure.net:8443',
  'https://contoso.vault.azure.net/secrets',
  'https://contoso.vault.azure.net?x=.vault.azure.net',
  'https://contoso.vault.azure.net#x',
  'http://contoso.vault.azure.net',
  // A Cyrillic letter in azure.
  'https://contoso.vault.\u0430zure.net',
]

/** What looks like a URL of a vault. */
const elsewhere = [
  'https://contoso.vault.azure.net.evil.example',
  'https://vault.azure.net.evil.example',
  'https://contosovault.azure.net',
  'https://.vault.azure.net',
  'https://a.b.vault.azure.net',
  'https://contoso.vault.azure.net.',
  'https://contoso.vault.xn--zure-7cd.net',
]

function guid(digit: string): string {
  return `${digit.repeat(8)}-${digit.repeat(4)}-${digit.repeat(4)}-${digit.repeat(4)}-${digit.repeat(12)}`
}

function messageOf(object: Json): string {
  return textAt(conditionOf(object, 'Ready'), 'message')
}
