import assert from 'node:assert/strict'
import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Cluster } from './harness/cluster.ts'
import { at, conditionOf, type Json, listAt, parseJson, textAt } from './harness/json.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'

describe('a cluster with cert-manager', () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ audit: true, crds: [thingCrd] })
  })
  after(() => cluster?.stop())

  test('objects of the CRDs given at the start can be written at once', async () => {
    const start = performance.now()
    await cluster.must('POST', '/apis/test.akv-issuer.io/v1/things', {
      apiVersion: 'test.akv-issuer.io/v1',
      kind: 'Thing',
      metadata: { name: 'first' },
    })
    assert.ok(performance.now() - start < 1_000)
  })

  test("cert-manager's CA issuer answers a Certificate through webhook and controllers", async () => {
    const namespace = await cluster.namespace('ca')
    const path = `/apis/cert-manager.io/v1/namespaces/${namespace}` as const
    const make = (kind: string, name: string, spec: object) =>
      cluster.must('POST', `${path}/${kind.toLowerCase()}s`, {
        apiVersion: 'cert-manager.io/v1',
        kind,
        metadata: { name },
        spec,
      })
    const secretOf = async (certificate: string) => {
      await until(`${certificate} Ready`, async () => {
        const object = await cluster.must('GET', `${path}/certificates/${certificate}`)
        return at(conditionOf(object, 'Ready'), 'status') === 'True'
      })
      return cluster.must('GET', `/api/v1/namespaces/${namespace}/secrets/${certificate}`)
    }
    const privateKey = { algorithm: 'ECDSA', size: 256 }
    await make('Issuer', 'self', { selfSigned: {} })
    await make('Certificate', 'ca', {
      secretName: 'ca',
      isCA: true,
      commonName: 'test CA',
      privateKey,
      issuerRef: { name: 'self' },
    })
    await make('Issuer', 'ca', { ca: { secretName: 'ca' } })
    await make('Certificate', 'leaf', {
      secretName: 'leaf',
      dnsNames: ['leaf.example.com'],
      privateKey,
      issuerRef: { name: 'ca' },
    })

    const leaf = certificateIn(await secretOf('leaf'))
    const ca = certificateIn(await secretOf('ca'))
    assert.equal(leaf.subjectAltName, 'DNS:leaf.example.com')
    assert.ok(leaf.verify(ca.publicKey), 'the leaf is signed by the CA of the issuer')

    const [request] = listAt(await cluster.must('GET', `${path}/certificaterequests`), 'items')
    assert.equal(
      textAt(request, 'spec', 'username'),
      'system:serviceaccount:cert-manager:cert-manager',
      'the webhook stamps who asked',
    )
  })

  test('the webhook refuses an issuer without a type', async () => {
    const answer = await cluster.api('POST', '/apis/cert-manager.io/v1/clusterissuers', {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name: 'empty' },
      spec: {},
    })
    assert.equal(answer.code, 403)
    assert.match(textAt(answer.body, 'message'), /at least one issuer must be configured/)
  })

  test('a service account may do what a role says, and nothing else', async () => {
    const namespace = await cluster.namespace('rbac')
    const account = await cluster.serviceAccount(namespace, 'reader')
    const create = async (...args: string[]) => {
      const { code, stderr } = await cluster.kubectl(['create', '-n', namespace, ...args])
      assert.equal(code, 0, stderr)
    }
    await create('role', 'look', '--verb=get,list', '--resource=configmaps')
    await create('rolebinding', 'look', '--role=look', `--user=${account.user}`)
    const asAccount = (...args: string[]) =>
      cluster.kubectl([`--kubeconfig=${account.kubeconfig}`, '-n', namespace, ...args])

    const allowed = await asAccount('get', 'configmaps')
    assert.equal(allowed.code, 0, allowed.stderr)
    const refused = await asAccount('get', 'secrets')
    assert.equal(refused.code, 1)
    assert.match(
      refused.stderr,
      new RegExp(`User "${account.user}" cannot list resource "secrets"`),
    )
    const impersonated = await cluster.api(
      'GET',
      `/api/v1/namespaces/${namespace}/secrets`,
      undefined,
      {
        as: account.user,
      },
    )
    assert.equal(impersonated.code, 403)
  })

  test('a token for Entra is verified by the published keys', async () => {
    const account = await cluster.serviceAccount('default', 'federated')
    const audience = 'api://AzureADTokenExchange'
    const [header = '', payload = '', signature = ''] = (await account.token(audience)).split('.')
    const claims = parseJson(Buffer.from(payload, 'base64url').toString())
    assert.deepEqual(
      { iss: at(claims, 'iss'), aud: at(claims, 'aud'), sub: at(claims, 'sub') },
      { iss: cluster.tokenIssuer, aud: [audience], sub: account.user },
    )
    const keyId = textAt(parseJson(Buffer.from(header, 'base64url').toString()), 'kid')
    const jwk = listAt(await cluster.jwks(), 'keys').find((key) => at(key, 'kid') === keyId)
    const key = createPublicKey({
      format: 'jwk',
      key: { kty: 'EC', crv: 'P-256', x: textAt(jwk, 'x'), y: textAt(jwk, 'y') },
    })
    const isSigned = verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
    assert.ok(isSigned)
  })

  test('the audit log shows each answered request, refused ones too', async () => {
    const namespace = await cluster.namespace('audit')
    const path = `/api/v1/namespaces/${namespace}/configmaps` as const
    await cluster.must('POST', path, { metadata: { name: 'seen' } })
    await cluster.api('DELETE', `${path}/seen`, undefined, { as: 'stranger' })
    const events = await cluster.auditEvents()
    assert.deepEqual(
      events
        .filter((event) => event.namespace === namespace && event.resource === 'configmaps')
        .map(({ verb, user, name, code }) => ({ verb, user, name, code })),
      [
        { verb: 'create', user: 'admin', name: 'seen', code: 201 },
        { verb: 'delete', user: 'stranger', name: 'seen', code: 403 },
      ],
    )
  })

  test('a watch goes on over a restart of the API server', async () => {
    const namespace = await cluster.namespace('watch')
    const path = `/api/v1/namespaces/${namespace}/configmaps` as const
    // A watch that is too old for the server starts again with what is there.
    const seen = new Set<string>()
    const stop = cluster.watch(path, ({ type, object }) => {
      seen.add(`${type} ${textAt(object, 'metadata', 'name')}`)
    })
    await cluster.must('POST', path, { metadata: { name: 'one' } })
    await until('first event', () => seen.size === 1)
    await cluster.process('kube-apiserver').restart()
    await cluster.must('POST', path, { metadata: { name: 'two' } })
    await until('second event', () => seen.size === 2)
    stop()
    assert.deepEqual([...seen], ['ADDED one', 'ADDED two'])
  })

  test("cert-manager's metrics are served", async () => {
    const text = await (await fetch(cluster.metricsUrl)).text()
    assert.match(text, /^certmanager_clock_time_seconds /m)
  })
})

const thingCrd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.test.akv-issuer.io}
spec:
  group: test.akv-issuer.io
  scope: Cluster
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`

function certificateIn(secret: Json): X509Certificate {
  return new X509Certificate(Buffer.from(textAt(secret, 'data', 'tls.crt'), 'base64'))
}
