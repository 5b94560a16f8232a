import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { signatureAlgorithms } from '../src/pki/signature_algorithms.ts'
import { keyOf, x509Signature } from '../test/pki/keys.ts'
import {
  dnsName,
  emailName,
  ipName,
  makeCsr,
  subjectAltName,
  uriName,
} from '../test/pki/make_csr.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { certificate } from './product/manifests.ts'
import {
  addConditions,
  approved,
  certificateRequest,
  denied,
  isTouchedByUs,
  postRequest,
  type RequestOptions,
} from './product/requests.ts'
import { certificatesIn, requestsIn, type Scene, startScene } from './product/scene.ts'
import { eventsOn, logLines } from './product/told.ts'

/** What somebody asks for, and what they are told. */
const refusals = [
  {
    asked: 'a CA certificate',
    csr: makeCsr(),
    spec: { isCA: true, usages: ['digital signature', 'key encipherment', 'cert sign'] },
    code: 'PolicyRefused',
    says: 'this issuer does not answer requests with isCA: true; ask for a certificate without isCA',
  },
  {
    asked: 'an IP address',
    csr: makeCsr({ extensions: [subjectAltName(ipName(10, 0, 0, 1))] }),
    code: 'PolicyRefused',
    says: 'IP address "10.0.0.1" is not allowed (policy.ipRanges: none); leave it out, or ask the operator of the issuer to allow it',
  },
  {
    asked: 'a URI beside a DNS name',
    csr: makeCsr({
      extensions: [
        subjectAltName(dnsName('a.example.com'), uriName('spiffe://cluster.local/ns/a/sa/b')),
      ],
    }),
    code: 'PolicyRefused',
    says: 'URI "spiffe://cluster.local/ns/a/sa/b" is not allowed (policy.uris: none); leave it out, or ask the operator of the issuer to allow it',
  },
  {
    asked: 'an email address',
    csr: makeCsr({ extensions: [subjectAltName(emailName('me@example.com'))] }),
    code: 'PolicyRefused',
    says: 'email address "me@example.com" is not allowed (policy.emailDomains: none); leave it out, or ask the operator of the issuer to allow it',
  },
  {
    asked: 'a certificate for a tiny RSA key',
    csr: makeTinyRsaCsr(),
    code: 'RequestInvalid',
    says: 'the RSA key has 1024 bits; expected 2048 to 8192 and a multiple of 8',
  },
  {
    asked: 'a minute',
    csr: makeCsr(),
    spec: { duration: '1m' },
    code: 'PolicyRefused',
    says: 'duration 1m is below the minimum 5m',
  },
  {
    asked: 'ten years',
    csr: makeCsr(),
    spec: { duration: '87600h' },
    code: 'PolicyRefused',
    says: 'duration 87600h is above the maximum 8760h',
  },
  {
    asked: 'a usage that is for CAs',
    csr: makeCsr(),
    spec: { usages: ['cert sign'] },
    code: 'PolicyRefused',
    says: 'usage "cert sign" is for CAs; leave it out',
  },
] as const

const approverBinding =
  '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/cert-manager-controller-approve:keyvault-akv-issuer-io'

describe('a request that is not to be signed', () => {
  let scene: Scene
  let namespace: string
  before(async () => {
    scene = await startScene({ audit: true })
    namespace = await scene.cluster.namespace('refuse')
  })
  after(() => scene?.stop())

  const create = (name: string, csr: string, options?: RequestOptions) =>
    postRequest(scene, namespace, certificateRequest(name, csr, options))

  const told = (object: Json) =>
    until('an Event', async () => {
      const events = await eventsOn(scene.cluster, object)
      return events.length > 0 && events
    })

  /** By its fate. cert-manager's webhook remembers for 1 s who may approve. */
  const isApprovalRefused = async () => {
    const name = `probe-${Math.round(performance.now())}`
    const path = await create(name, makeCsr())
    return until('approval or its refusal', async () => {
      const events = await scene.cluster.auditEvents()
      const isRefused = events.some((event) => event.name === name && event.code === 403)
      const request = await scene.cluster.must('GET', path)
      return (isRefused || conditionOf(request, 'Approved') !== undefined) && { isRefused }
    })
  }

  /** The same words in status, Event, log and `kubectl describe`. */
  const assertRefused = async (path: ApiPath, code: string, message: string) => {
    const request = await scene.ready(path, 'False', 'Failed')
    assert.deepEqual(answerIn(request), { reason: 'Failed', message, failureTime: true })
    assert.deepEqual(await told(request), [{ type: 'Warning', reason: code, note: message }])
    const logged = await until('the line in the log', () => {
      const uid = textAt(request, 'metadata', 'uid')
      return logLines(scene.controller).find((line) => at(line, 'uid') === uid)
    })
    assert.equal(at(logged, 'detail'), message)
    const name = textAt(request, 'metadata', 'name')
    const command = ['describe', 'certificaterequest', '-n', namespace, name]
    const { stdout } = await scene.cluster.kubectl(command)
    assert.ok(stdout.split('Events:')[1]?.includes(message), stdout)
  }

  test('is answered with the reason, in the same words everywhere', async (t) => {
    const signatures = await scene.signatures()
    await Promise.all(
      refusals.map(({ asked, csr, code, says, ...rest }) =>
        t.test(asked, async () => {
          const name = asked.replace(/\W+/g, '-').toLowerCase()
          const path = await create(name, csr, rest)
          await assertRefused(path, code, `${says}; make a new CertificateRequest`)
        }),
      ),
    )
    assert.equal(await scene.signatures(), signatures)
  })

  test('tells its Certificate, with what to do', async () => {
    const message =
      'IP address "10.0.0.1" is not allowed (policy.ipRanges: none); leave it out, or ask the ' +
      'operator of the issuer to allow it; change Certificate "with-ip", then renew it (cmctl renew)'
    const path = `${certificatesIn(namespace)}/with-ip` as const
    const spec = { ipAddresses: ['10.0.0.1'] }
    await scene.cluster.must('POST', certificatesIn(namespace), certificate('with-ip', { spec }))
    const failed = await scene.object(
      path,
      'Issuing=False Failed',
      (object) => at(conditionOf(object, 'Issuing'), 'reason') === 'Failed',
    )
    assert.ok(textAt(conditionOf(failed, 'Issuing'), 'message').endsWith(message))
    assert.deepEqual(await told(failed), [
      { type: 'Warning', reason: 'PolicyRefused', note: message },
    ])
  })

  describe('while cert-manager may not approve for us', () => {
    let binding: Json
    const untouched = new Map<string, ApiPath>()
    before(async () => {
      binding = await scene.cluster.must('GET', approverBinding)
      await scene.cluster.must('DELETE', approverBinding)
      await until('the right is gone', async () => (await isApprovalRefused()).isRefused)
    })

    test('waits for an approval, whoever gives it', async () => {
      untouched.set('unapproved', await create('unapproved', makeCsr()))
    })

    test('is left alone when somebody has answered it', async () => {
      const path = await create('answered', makeCsr())
      const failed = { type: 'Ready', status: 'False', reason: 'Failed', message: 'by another' }
      await addConditions(scene, path, approved, failed)
      untouched.set('answered', path)
    })

    test('is left alone when it is for an issuer of another group', async () => {
      await scene.cluster.createCrd(foreignCrd)
      const path = await create('foreign', makeCsr(), { group: foreignGroup })
      await addConditions(scene, path, approved)
      untouched.set('foreign', path)
    })

    test('is closed as Denied, with failureTime, and its Certificate shows it', async () => {
      const signatures = await scene.signatures()
      await scene.cluster.must('POST', certificatesIn(namespace), certificate('denied'))
      const path = `${requestsIn(namespace)}/denied-1` as const
      await scene.object(path, 'made by cert-manager', (object) => at(object, 'spec') !== undefined)
      await addConditions(scene, path, denied)

      const request = await scene.ready(path, 'False', 'Denied')
      const message = 'denied by an approver: this name is not yours'
      assert.deepEqual(answerIn(request), { reason: 'Denied', message, failureTime: true })
      const certificatePath = `${certificatesIn(namespace)}/denied` as const
      await scene.object(
        certificatePath,
        'Issuing=False',
        (object) => at(conditionOf(object, 'Issuing'), 'status') === 'False',
      )
      assert.equal(await scene.signatures(), signatures)
    })

    test('none of those was written by us, by the time a later one is answered', async () => {
      const later = await create('later', makeCsr())
      await addConditions(scene, later, approved)
      await scene.ready(later)
      const written = await Promise.all(
        [...untouched].map(async ([name, path]) => {
          const request = await scene.cluster.must('GET', path)
          return [name, isTouchedByUs(request), at(conditionOf(request, 'Ready'), 'message')]
        }),
      )
      assert.deepEqual(written, [
        ['unapproved', false, undefined],
        ['answered', false, 'by another'],
        ['foreign', false, undefined],
      ])
    })

    test('is signed once the approver has its right', async () => {
      const { apiVersion, kind, roleRef, subjects } = Object(binding)
      const metadata = { name: textAt(binding, 'metadata', 'name') }
      const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
      await scene.cluster.must('POST', bindings, { apiVersion, kind, metadata, roleRef, subjects })
      await scene.ready(`${requestsIn(namespace)}/unapproved`)
    })
  })

  test('is refused by us too when it is signed by another key', async () => {
    const thief = x509Signature(keyOf('ECDSA P-256', 'thief'), signatureAlgorithms.ES256)
    const csr = makeCsr({ signature: thief })
    await assert.rejects(create('stolen', csr), /webhook .* denied .* ECDSA verification failure/)

    const webhooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
    await scene.cluster.must('DELETE', `${webhooks}/cert-manager-webhook`)
    const path = await until('the webhook is not asked', () => create('stolen', csr))
    const says =
      'the signature of the certificate signing request does not verify with its public key'
    await assertRefused(path, 'RequestInvalid', `${says}; make a new CertificateRequest`)
  })
})

function answerIn(request: Json) {
  const ready = conditionOf(request, 'Ready')
  const time = textAt(request, 'status', 'failureTime')
  assert.equal(at(request, 'status', 'certificate'), undefined)
  return {
    reason: at(ready, 'reason'),
    message: at(ready, 'message'),
    failureTime: /^\d{4}-\d\d-\d\dT[\d:]{8}Z$/.test(time),
  }
}

function makeTinyRsaCsr(): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  const key = { privateKey, publicKey, spki }
  return makeCsr({ key, signature: x509Signature(key, signatureAlgorithms.RS256) })
}

const foreignGroup = 'sample-issuer.example.com'
/** Approval needs the kind to exist. */
const foreignCrd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clusterissuers.${foreignGroup}}
spec:
  group: ${foreignGroup}
  scope: Cluster
  names: {kind: ClusterIssuer, plural: clusterissuers, singular: clusterissuer}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
`
