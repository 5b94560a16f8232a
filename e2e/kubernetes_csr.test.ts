import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bitString, derTrue, sequence } from '../src/pki/der_writer.ts'
import { oid } from '../src/pki/oids.ts'
import { dnsName, extension, ipName, makeCsr, subjectAltName } from '../test/pki/make_csr.ts'
import type { AuditEvent } from './harness/audit.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, listAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { workloadCsr } from './product/istio_csr.ts'
import {
  chainOf,
  failedCsr,
  issuedCsr,
  judge,
  type KubernetesCsrOptions,
  kubernetesCsr,
  kubernetesCsrs,
  signerDomain,
} from './product/kubernetes_csrs.ts'
import { sumOf } from './product/metrics.ts'
import { callsOfOurs, isAccepted } from './product/our_calls.ts'
import { RequestFlow } from './product/request_flow.ts'
import { isTouchedByUs } from './product/requests.ts'
import { clusterIssuers, type Scene, startScene } from './product/scene.ts'
import { eventsOn, logLines } from './product/told.ts'

const rbacYaml = join(import.meta.dirname, '..', 'config/rbac/kubernetes_csr')
const role = '/apis/rbac.authorization.k8s.io/v1/clusterroles/akv-issuer-kubernetes-csr'
const issuer: ApiPath = `${clusterIssuers}/akv-issuer`
const web = 'spiffe://cluster.local/ns/shop/sa/web'
/** A proof of the issuer signs, too. */
const noReprobe = '--probe-interval=2h'

describe('CertificateSigningRequests of Kubernetes', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene({
      audit: true,
      latencyMs: 20,
      controllerFlags: [noReprobe],
      spec: {
        policy: { dnsNames: ['**.svc'] },
        kubernetesCSR: {
          enabled: true,
          usages: ['digital signature', 'key encipherment', 'server auth', 'client auth'],
          uris: ['spiffe://cluster.local/*'],
          maxDuration: '24h',
        },
      },
    })
  })
  after(() => scene?.stop())

  const create = (name: string, csr = workloadCsr(web), options?: KubernetesCsrOptions) =>
    scene.cluster.must('POST', kubernetesCsrs, kubernetesCsr(name, csr, options))
  const approve = async (name: string, csr?: string, options?: KubernetesCsrOptions) => {
    await judge(scene, await create(name, csr, options))
  }
  const told = (object: Json) =>
    until('an Event', async () => {
      const events = await eventsOn(scene.cluster, object)
      return events.length > 0 && events
    })
  const issuerShows = (status: 'True' | 'False') =>
    scene.object(
      issuer,
      `KubernetesCSR=${status}`,
      (object) => at(conditionOf(object, 'KubernetesCSR'), 'status') === status,
    )
  /** What the log announced before each call to Key Vault. */
  const signingsOf = (name: string) =>
    logLines(scene.controller).filter(
      (line) => at(line, 'message') === 'signing' && at(line, 'request') === name,
    )
  const isSigning = (name: string) =>
    until(`${name} is being signed`, () => signingsOf(name).length > 0)

  test('without the rights, the issuer says which, and nothing is asked for in vain', async () => {
    const shown = await issuerShows('False')
    const { reason, message } = Object(conditionOf(shown, 'KubernetesCSR'))
    assert.deepEqual(
      { reason, message },
      {
        reason: 'RightsMissing',
        message:
          'the controller may not get certificatesigningrequests, list certificatesigningrequests, ' +
          'watch certificatesigningrequests, patch certificatesigningrequests/status, sign for signers ' +
          `${signerDomain}/akv-issuer or ${signerDomain}/*, so signer ${signerDomain}/akv-issuer answers ` +
          'nothing; kubectl apply -f config/rbac/kubernetes_csr',
      },
    )
    assert.equal(at(conditionOf(shown, 'Ready'), 'status'), 'True')
    const refused = callsOfOurs(await scene.cluster.auditEvents()).filter(
      ({ code }) => code === 403,
    )
    assert.deepEqual(refused, [])
  })

  test('with the rights, it says so within 20 s, and goes on with what waits', async () => {
    await approve('early')
    const { code, stderr } = await scene.cluster.kubectl(['apply', '-f', rbacYaml])
    assert.equal(code, 0, stderr)
    await issuerShows('True')
    await issuedCsr(scene, 'early')
  })

  test('an approved one is answered: no subject, a critical SAN, a chain without the root', async () => {
    await approve('workload', undefined, { expirationSeconds: 3_600 })
    const request = await issuedCsr(scene, 'workload')
    const chain = chainOf(request)
    assert.match(chain, /^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/)
    const leaf = new X509Certificate(chain)
    assert.ok(leaf.verify(new X509Certificate(scene.ca.pem).publicKey))
    assert.deepEqual(
      {
        subject: leaf.subject,
        names: leaf.subjectAltName,
        purposes: leaf.keyUsage,
        hours: hoursOf(leaf),
        isSanCritical: Buffer.from(leaf.raw).includes(criticalSan),
      },
      {
        subject: undefined,
        names: `URI:${web}`,
        purposes: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
        hours: 1,
        isSanCritical: true,
      },
    )
    assert.deepEqual(await eventsOn(scene.cluster, request), [], 'a success needs no Event')
  })

  const lifetimes = [
    { asked: 'ten years, as istiod does', seconds: 315_360_000, hours: 24 },
    { asked: 'nothing', seconds: undefined, hours: 24 },
    { asked: 'ten minutes', seconds: 600, hours: 1 / 6 },
  ]
  for (const [index, { asked, seconds, hours }] of lifetimes.entries()) {
    test(`one that asks for ${asked} lives as long as it may`, async () => {
      const name = `lifetime-${index}`
      const csr = makeCsr({ extensions: [subjectAltName(dnsName('istiod.istio-system.svc'))] })
      await approve(name, csr, seconds === undefined ? {} : { expirationSeconds: seconds })
      assert.equal(hoursOf(new X509Certificate(chainOf(await issuedCsr(scene, name)))), hours)
    })
  }

  const refusals = [
    {
      asked: 'an identity of another mesh',
      csr: workloadCsr('spiffe://other.example/ns/shop/sa/web'),
      code: 'PolicyRefused',
      says: 'URI "spiffe://other.example/ns/shop/sa/web" is not allowed (kubernetesCSR.uris: spiffe://cluster.local/*); leave it out, or ask the operator of the issuer to allow it',
    },
    {
      asked: 'a DNS name outside the policy',
      csr: makeCsr(),
      code: 'PolicyRefused',
      says: 'DNS name "myapp.example.com" is not allowed (policy.dnsNames: **.svc); leave it out, or ask the operator of the issuer to allow it',
    },
    {
      asked: 'an IP address',
      csr: makeCsr({ extensions: [subjectAltName(ipName(10, 0, 0, 1))] }),
      code: 'PolicyRefused',
      says: 'IP address "10.0.0.1" is not allowed (policy.ipRanges: none); leave it out, or ask the operator of the issuer to allow it',
    },
    {
      asked: 'a usage outside the list',
      csr: workloadCsr(web),
      options: { usages: ['code signing'] },
      code: 'PolicyRefused',
      says: 'usage "code signing" is not allowed (kubernetesCSR.usages: digital signature, key encipherment, server auth, client auth); leave it out',
    },
    {
      asked: 'a CA',
      csr: makeCsr({
        extensions: [
          subjectAltName(dnsName('ca.svc')),
          extension(oid.basicConstraints, sequence(derTrue), true),
        ],
      }),
      code: 'PolicyRefused',
      says: 'the CSR asks for a CA (basicConstraints), which no CertificateSigningRequest gets; ask by a CertificateRequest of cert-manager with isCA: true',
    },
    {
      asked: 'a usage beside those it names in the CSR',
      csr: makeCsr({
        extensions: [
          subjectAltName(dnsName('a.svc')),
          extension(oid.keyUsage, bitString(Uint8Array.of(0x80), 7), true),
        ],
      }),
      code: 'PolicyRefused',
      says: 'the KeyUsages [digital signature] of the CSR do not match the expected KeyUsages [digital signature, key encipherment] of the request',
    },
  ]
  test('a refused one is Failed, with the same words in Event and log', async (t) => {
    const signatures = await scene.signatures()
    await Promise.all(
      refusals.map(({ asked, csr, options, code, says }, index) =>
        t.test(asked, async () => {
          const name = `refused-${index}`
          await approve(name, csr, options)
          const request = await failedCsr(scene, name)
          const message = `${says}; make a new CertificateSigningRequest`
          const failed = conditionOf(request, 'Failed')
          assert.deepEqual([at(failed, 'reason'), at(failed, 'message')], [code, message])
          assert.equal(at(request, 'status', 'certificate'), undefined)
          assert.deepEqual(await told(request), [{ type: 'Warning', reason: code, note: message }])
          const logged = await until('the line in the log', () =>
            logLines(scene.controller).find((line) => at(line, 'request') === name),
          )
          assert.equal(at(logged, 'detail'), message)
        }),
      ),
    )
    assert.equal(await scene.signatures(), signatures)
  })

  test('one that is not approved, is denied, or is for another signer is left alone', async () => {
    await create('unapproved')
    await judge(scene, await create('denied'), 'Denied')
    await approve('foreign', undefined, { signerName: 'signers.example.com/foreign' })
    await approve('nobodys', undefined, { signerName: `${signerDomain}/missing` })
    await approve('later')
    await issuedCsr(scene, 'later')
    const left = ['unapproved', 'denied', 'foreign', 'nobodys']
    for (const name of left) {
      const request = await scene.cluster.must('GET', `${kubernetesCsrs}/${name}`)
      assert.equal(isTouchedByUs(request), false, scene.evidence(request))
    }
    const writes = statusWrites(await scene.cluster.auditEvents())
    assert.deepEqual(
      writes.filter(({ name }) => left.includes(name)),
      [],
    )
  })

  test('one that waits is told by an Event, keeps its status, and is answered in the end', async () => {
    await scene.cluster.must('PATCH', issuer, { spec: { suspend: true } })
    await scene.ready(issuer, 'False', 'IssuerSuspended')
    await approve('patient')
    const waiting = await scene.cluster.must('GET', `${kubernetesCsrs}/patient`)
    assert.deepEqual(await told(waiting), [
      {
        type: 'Normal',
        reason: 'IssuerSuspended',
        note: 'ClusterIssuer "akv-issuer" is suspended (spec.suspend)',
      },
    ])
    assert.equal(isTouchedByUs(waiting), false, scene.evidence(waiting))
    const held = { kind: 'CertificateSigningRequest', reason: 'IssuerSuspended' }
    assert.equal(await sumOf(scene.controller, 'akv_issuer_waiting_requests', held), 1)
    await scene.cluster.must('PATCH', issuer, { spec: { suspend: false } })
    await issuedCsr(scene, 'patient')
    await until('it waits no more', async () => {
      return (await sumOf(scene.controller, 'akv_issuer_waiting_requests', held)) === 0
    })
  })

  test('one that changes while Key Vault signs is answered with that signature', async () => {
    const signatures = await scene.signatures()
    await scene.vault.admin('PUT', '/latency', { 'keys/sign': 2_000 })
    await approve('changing')
    await isSigning('changing')
    const annotations = { 'example.com/seen-by': 'somebody' }
    await scene.cluster.must('PATCH', `${kubernetesCsrs}/changing`, { metadata: { annotations } })
    await scene.vault.admin('PUT', '/latency', { 'keys/sign': 20 })
    await issuedCsr(scene, 'changing')
    assert.equal((await scene.signatures()) - signatures, 1)
  })

  test('while the controller may not sign for the signer, one waits and keeps its signature', async () => {
    const { rules } = Object(await scene.cluster.must('GET', role))
    const without = rules.filter((rule: Json) => !listAt(rule, 'verbs').includes('sign'))
    await scene.cluster.must('PATCH', role, { rules: without })
    await approve('forbidden')
    await issuerShows('False')
    const waiting = await scene.cluster.must('GET', `${kubernetesCsrs}/forbidden`)
    const events = await told(waiting)
    assert.deepEqual([...new Set(events.map(({ reason }) => reason))], ['KubeForbidden'])
    assert.equal(conditionOf(waiting, 'Failed'), undefined)
    await scene.cluster.must('PATCH', role, { rules })
    await issuerShows('True')
    await issuedCsr(scene, 'forbidden')
    assert.equal(signingsOf('forbidden').length, 1)
  })

  test('killed while Key Vault signs: one certificate in the end', async () => {
    const { controller } = scene
    await scene.vault.admin('PUT', '/latency', { 'keys/sign': 2_000 })
    await approve('orphaned')
    await isSigning('orphaned')
    await controller.kill()
    await scene.vault.admin('PUT', '/latency', { 'keys/sign': 20 })
    await controller.start()
    await issuedCsr(scene, 'orphaned', 60_000)
    const writes = statusWrites(await scene.cluster.auditEvents()).filter(isAccepted)
    assert.equal(writes.filter(({ name }) => name === 'orphaned').length, 1)
  })

  test('100 at once: one signature and one write each', async (t) => {
    const names = Array.from({ length: 100 }, (_, index) => `storm-${index}`)
    const requests = names.map((name, index) =>
      kubernetesCsr(name, workloadCsr(`spiffe://cluster.local/ns/shop/sa/web-${index}`)),
    )
    const signatures = await scene.signatures()
    const flow = new RequestFlow(scene, kubernetesCsrs)
    try {
      await Promise.all(requests.map(async (request) => judge(scene, await flow.make(request))))
      await flow.untilAnswered(120_000)
      t.diagnostic(flow.describeTimes())
      assert.deepEqual(flow.wrong, [])
      assert.equal((await scene.signatures()) - signatures, names.length)
      const written = statusWrites(await scene.cluster.auditEvents())
        .filter(isAccepted)
        .map(({ name }) => name)
      assert.deepEqual(
        written.filter((name) => name.startsWith('storm-')).toSorted(),
        names.toSorted(),
      )
    } finally {
      flow.stop()
    }
  })

  test('each right that is granted is used', async () => {
    // A watch is in the audit log when it has ended.
    await scene.controller.stop()
    const used = callsOfOurs(await scene.cluster.auditEvents())
      .filter((event) => event.apiGroup === 'certificates.k8s.io' && isAccepted(event))
      .map(({ verb, subresource }) => (subresource ? `${verb} ${subresource}` : verb))
    assert.deepEqual([...new Set(used)].toSorted(), ['get', 'list', 'patch status', 'watch'])
  })
})

/** subjectAltName, critical: its OID and TRUE. */
const criticalSan = Buffer.from('0603551d110101ff', 'hex')

function statusWrites(events: readonly AuditEvent[]): readonly AuditEvent[] {
  return callsOfOurs(events).filter(
    ({ resource, subresource }) =>
      resource === 'certificatesigningrequests' && subresource === 'status',
  )
}

function hoursOf(certificate: X509Certificate): number {
  return (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 3_600_000
}
