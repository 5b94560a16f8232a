import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { ApiPath } from './harness/cluster.ts'
import { conditionOf, type Json, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { createClientPair } from './product/client_certificate.ts'
import {
  bindInNamespace,
  controllerNamespace,
  federate,
  startController,
  tokenAudience,
  tokenFileOf,
} from './product/controller.ts'
import { tokensOf } from './product/entra.ts'
import { expired } from './product/federated_token.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import {
  certificatesIn,
  clusterIssuers,
  issuersIn,
  requestsIn,
  type Scene,
  startScene,
} from './product/scene.ts'

/** A broken issuer is looked at again within this, too. */
const reprobe = '--probe-interval=2s'
const wrongSecret = 'not-the-secret'

describe('who an issuer is to Entra', () => {
  let scene: Scene
  const clientKeys: string[] = []
  before(async () => {
    scene = await startScene({ controllerFlags: [reprobe] })
  })
  after(() => scene?.stop())

  test('workload: a token file renewed by the kubelet is read anew', async () => {
    const { cluster, vault, ca } = scene
    const clientId = '44444444-4444-4444-4444-444444444444'
    await vault.admin('PUT', '/identities', {
      name: 'second',
      clientId,
      permissions: [{ actions: ['keys/sign/action'] }],
    })
    await federate(cluster, vault, clientId)
    const account = await cluster.serviceAccount(controllerNamespace, 'akv-issuer')
    const file = tokenFileOf(cluster)
    await writeFile(file, await expired(cluster, await account.token(tokenAudience)))
    const spec = { identity: { workload: { clientId } } }
    await cluster.must('POST', clusterIssuers, clusterIssuer('second', vault.url, ca, spec))
    const path = `${clusterIssuers}/second` as const
    const refused = await scene.ready(path, 'False', 'IdentityRefused')
    assert.equal(
      messageOf(refused),
      `Entra refused a token for client ${clientId} in tenant ${vault.tenantId}: AADSTS700024 — ` +
        'the ServiceAccount token is outside its time: check the clocks',
    )
    await writeFile(file, await account.token(tokenAudience))
    await scene.ready(path)
    await issues('second')
  })

  test('clientSecret: a wrong one is told of, a corrected one found without a hint', async () => {
    const { cluster, vault, ca } = scene
    await putSecret(controllerNamespace, 'entra', { secret: wrongSecret })
    const issuer = clusterIssuer('by-secret', vault.url, ca, { identity: byClientSecret() })
    await cluster.must('POST', clusterIssuers, issuer)
    const path = `${clusterIssuers}/by-secret` as const
    const refused = await scene.ready(path, 'False', 'IdentityRefused')
    const { clientId } = vault.identity('akv-issuer')
    assert.equal(
      messageOf(refused),
      `Entra refused a token for client ${clientId} in tenant ${vault.tenantId}: AADSTS7000215 — ` +
        'the client secret is wrong: put its value (not its id) into the Secret',
    )
    const namespace = await cluster.namespace('waiting')
    await cluster.must('POST', certificatesIn(namespace), certificate('a', { issuer: 'by-secret' }))
    await scene.ready(`${requestsIn(namespace)}/a-1`, 'False', 'Pending')

    const { clientSecret: secret } = vault.identity('akv-issuer')
    await putSecret(controllerNamespace, 'entra', { secret })
    await scene.ready(path)
    await scene.ready(`${certificatesIn(namespace)}/a`)
  })

  test('clientCertificate: what is wrong is told, and a rotated one taken up', async () => {
    const { cluster, vault, ca } = scene
    const clientId = '55555555-5555-5555-5555-555555555555'
    const register = (pem: string) =>
      vault.admin('PUT', '/identities', {
        name: 'by-certificate',
        clientId,
        certificates: [pem],
        permissions: [{ actions: ['keys/sign/action'] }],
      })
    const [stranger, first, second] = [
      await createClientPair(),
      await createClientPair(),
      await createClientPair(),
    ]
    clientKeys.push(stranger['tls.key'], first['tls.key'], second['tls.key'])
    await register(first['tls.crt'])
    await putSecret(controllerNamespace, 'client-tls', stranger)
    const secretRef = { name: 'client-tls' }
    const spec = {
      identity: { clientCertificate: { tenantId: vault.tenantId, clientId, secretRef } },
    }
    await cluster.must('POST', clusterIssuers, clusterIssuer('by-certificate', vault.url, ca, spec))
    const path = `${clusterIssuers}/by-certificate` as const
    assert.equal(
      messageOf(await scene.ready(path, 'False', 'IdentityRefused')),
      `Entra refused a token for client ${clientId} in tenant ${vault.tenantId}: AADSTS700027 — ` +
        'the certificate is not registered for the client: add it to the application under ' +
        '"Certificates & secrets", or put the registered one into the Secret',
    )
    await putSecret(controllerNamespace, 'client-tls', { ...first, 'tls.key': stranger['tls.key'] })
    assert.equal(
      messageOf(await scene.ready(path, 'False', 'ReferenceInvalid')),
      `Secret "client-tls" in namespace "${controllerNamespace}": tls.key is not the key of the ` +
        'certificate in tls.crt — put in both of one pair',
    )
    await putSecret(controllerNamespace, 'client-tls', first)
    await scene.ready(path)

    const had = await tokensOf(vault, clientId)
    await register(second['tls.crt'])
    await putSecret(controllerNamespace, 'client-tls', second)
    await until(
      'a token by the new certificate',
      async () => (await tokensOf(vault, clientId)) > had,
    )
    await scene.ready(path)
    await issues('by-certificate')
  })

  test("managed: the node's identity, and not the token of the pod", async () => {
    const { cluster, vault, ca } = scene
    const { clientId } = vault.identity('akv-issuer')
    const unknown = '66666666-6666-6666-6666-666666666666'
    const managed = async (name: string, client: string) => {
      const spec = { identity: { managed: { clientId: client } } }
      await cluster.must('POST', clusterIssuers, clusterIssuer(name, vault.url, ca, spec))
      return `${clusterIssuers}/${name}` as const
    }
    const refused = await scene.ready(await managed('not-there', unknown), 'False')
    assert.equal(
      messageOf(refused),
      `the node's metadata service gave no token for the managed identity with client id ${unknown}: ` +
        'Identity not found — assign the identity to the scale set of the node pool, and name it ' +
        'by spec.identity.managed.clientId',
    )
    assert.equal(await tokensOf(vault, clientId, 'imds/token'), 0)
    await scene.ready(await managed('managed', clientId))
    await issues('managed')
    assert.equal(await tokensOf(vault, clientId, 'imds/token'), 1)
  })

  test('a namespaced Issuer with clientSecret issues in its namespace only', async () => {
    const { cluster, vault, ca } = scene
    const [own, other] = await Promise.all([cluster.namespace('own'), cluster.namespace('other')])
    await putSecret(own, 'entra', { secret: vault.identity('akv-issuer').clientSecret })
    await cluster.must('POST', issuersIn(own), {
      ...clusterIssuer('local', vault.url, ca, { identity: byClientSecret() }),
      kind: 'Issuer',
    })
    const path = `${issuersIn(own)}/local` as const
    const forbidden = await scene.ready(path, 'False', 'KubeForbidden')
    assert.equal(
      messageOf(forbidden),
      `the controller may not read Secret "entra" in namespace "${own}" — bind ClusterRole ` +
        'akv-issuer-issuer-references there to its ServiceAccount, by a RoleBinding',
    )
    await bindInNamespace(cluster, own, 'akv-issuer-issuer-references')
    await scene.ready(path)
    const local = certificate('a', { kind: 'Issuer', issuer: 'local' })
    await cluster.must('POST', certificatesIn(own), local)
    await cluster.must('POST', certificatesIn(other), local)
    await scene.ready(`${certificatesIn(own)}/a`)
    const foreign = await scene.ready(`${requestsIn(other)}/a-1`, 'False', 'Pending')
    assert.equal(
      messageOf(foreign),
      `Issuer "${other}/local" not found; waiting for it to be created`,
    )
  })

  test("an Issuer gets the controller's own identities only where that is allowed", async () => {
    const { cluster, vault, ca } = scene
    const namespace = await cluster.namespace('ambient')
    const { clientId } = vault.identity('akv-issuer')
    const identities = { workload: {}, managed: { clientId } }
    for (const [name, member] of Object.entries(identities)) {
      await cluster.must('POST', issuersIn(namespace), {
        ...clusterIssuer(name, vault.url, ca, { identity: { [name]: member } }),
        kind: 'Issuer',
      })
      const refused = await scene.ready(
        `${issuersIn(namespace)}/${name}`,
        'False',
        'IdentityRefused',
      )
      assert.match(messageOf(refused), new RegExp(`^spec.identity.${name} is .* Issuers may not`))
      assert.match(messageOf(refused), /--issuer-ambient-identity$/)
      await cluster.must(
        'POST',
        certificatesIn(namespace),
        certificate(name, { kind: 'Issuer', issuer: name }),
      )
      await scene.ready(`${requestsIn(namespace)}/${name}-1`, 'False', 'Pending')
    }

    await scene.controller.stop()
    const flags = [reprobe, '--issuer-ambient-identity']
    await startController(cluster, vault, { name: 'ambient', flags })
    for (const name of Object.keys(identities)) {
      await scene.ready(`${issuersIn(namespace)}/${name}`)
      await scene.ready(`${certificatesIn(namespace)}/${name}`)
    }
  })

  test('no secret and no token is in the log', () => {
    const { cluster, vault } = scene
    const { clientSecret } = vault.identity('akv-issuer')
    for (const name of ['akv-issuer', 'ambient']) {
      const log = cluster.process(name).output()
      assert.ok(log.includes('AADSTS') || name === 'ambient', 'the log tells of refusals')
      assert.ok(!log.includes(clientSecret) && !log.includes(wrongSecret), 'a client secret')
      for (const key of clientKeys) {
        assert.ok(!log.includes(key.split('\n')[1] ?? key), 'the key of a client certificate')
      }
      // Header and claims of a JSON Web Token.
      assert.doesNotMatch(log, /eyJ[\w-]+\.eyJ/)
    }
  })

  function byClientSecret() {
    const { clientId } = scene.vault.identity('akv-issuer')
    const secretRef = { name: 'entra', key: 'secret' }
    return { clientSecret: { tenantId: scene.vault.tenantId, clientId, secretRef } }
  }

  async function putSecret(namespace: string, name: string, stringData: object): Promise<void> {
    const path: ApiPath = `/api/v1/namespaces/${namespace}/secrets`
    const body = { metadata: { name }, stringData }
    const { code } = await scene.cluster.api('GET', `${path}/${name}`)
    if (code === 404) await scene.cluster.must('POST', path, body)
    else await scene.cluster.must('PATCH', `${path}/${name}`, body)
  }

  /** Has a ClusterIssuer answer a Certificate. */
  async function issues(issuer: string): Promise<void> {
    const namespace = await scene.cluster.namespace(issuer)
    await scene.cluster.must('POST', certificatesIn(namespace), certificate('a', { issuer }))
    await scene.ready(`${certificatesIn(namespace)}/a`)
  }
})

function messageOf(object: Json): string {
  return textAt(conditionOf(object, 'Ready'), 'message')
}
