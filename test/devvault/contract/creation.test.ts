import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import { CertificateClient } from '@azure/keyvault-certificates'
import { at, refusal, stringAt } from '../here.ts'
import { apiVersion, devOnly, policyOf, Target } from './target.ts'

let target: Target
let client: CertificateClient

before(async () => {
  target = await Target.start()
  client = new CertificateClient(target.url, target.credential)
})
after(() => target.stop())

function create(name: string, policy: object) {
  return target.call('POST', `/certificates/${name}/create`, { policy })
}

test('a creation answers 202 with where to ask and a request for a certificate', async () => {
  const name = target.name('certificates', 'accepted')
  target.hold()
  const answer = await create(name, policyOf('Self'))
  const requestId = stringAt(answer.body, 'request_id')
  assert.equal(answer.status, 202)
  assert.match(requestId, /^[0-9a-f]{32}$/)
  assert.equal(answer.headers['retry-after'], '10')
  assert.equal(
    answer.headers.location,
    `${target.url}/certificates/${name}/pending?api-version=${apiVersion}&request_id=${requestId}`,
  )
  const operation = {
    id: `${target.url}/certificates/${name}/pending`,
    issuer: { name: 'Self' },
    csr: stringAt(answer.body, 'csr'),
    cancellation_requested: false,
    status: 'inProgress',
    status_details:
      'Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later.',
    request_id: requestId,
  }
  assert.deepEqual(answer.body, operation)
  const polled = await target.call('GET', `/certificates/${name}/pending`)
  assert.deepEqual([polled.status, polled.body], [200, operation])
  assert.equal(polled.headers['retry-after'], '10')
})

test('while the first version is pending the bundle is disabled and has no key', async () => {
  const name = target.name('certificates', 'first')
  await create(name, policyOf('Unknown'))
  const { status, body } = await target.call('GET', `/certificates/${name}`)
  assert.equal(status, 200)
  assert.deepEqual(Object.keys(Object(body)), ['id', 'attributes', 'policy', 'pending'])
  assert.equal(at(body, 'attributes', 'enabled'), false)
  const [nbf, exp, created] = ['nbf', 'exp', 'created'].map((one) =>
    Number(at(body, 'attributes', one)),
  )
  assert.ok(Math.abs(Number(created) - 600 - Number(nbf)) <= 1)
  assert.equal(new Date(Number(exp) * 1000).getUTCDate(), new Date().getUTCDate())
  const version = stringAt(body, 'id').split('/').at(-1)
  const pinned = await target.call('GET', `/certificates/${name}/${version}`)
  assert.deepEqual(Object.keys(Object(pinned.body)), ['id', 'attributes'])
})

test('the operation ends with its target, and the version is a new one', async () => {
  const name = target.name('certificates', 'completed')
  target.hold()
  await create(name, policyOf('Self'))
  const pending = stringAt((await target.call('GET', `/certificates/${name}`)).body, 'id')
  await target.release(name)
  const { body, headers } = await target.call('GET', `/certificates/${name}/pending`)
  assert.equal(headers['retry-after'], undefined)
  assert.deepEqual(body, {
    id: `${target.url}/certificates/${name}/pending`,
    issuer: { name: 'Self' },
    csr: stringAt(body, 'csr'),
    cancellation_requested: false,
    status: 'completed',
    target: `${target.url}/certificates/${name}`,
    request_id: stringAt(body, 'request_id'),
  })
  const bundle = (await target.call('GET', `/certificates/${name}`)).body
  const id = stringAt(bundle, 'id')
  assert.notEqual(id, pending)
  assert.equal(stringAt(bundle, 'kid'), id.replace('/certificates/', '/keys/'))
  assert.equal(stringAt(bundle, 'sid'), id.replace('/certificates/', '/secrets/'))
  assert.equal(stringAt(bundle, 'pending', 'id'), `${target.url}/certificates/${name}/pending`)
})

test('a second creation while one is pending is a conflict', async () => {
  const name = target.name('certificates', 'conflict')
  await create(name, policyOf('Unknown'))
  const answer = await create(name, policyOf('Unknown'))
  assert.equal(answer.status, 409)
  assert.deepEqual(answer.body, {
    error: {
      code: 'Forbidden',
      message:
        "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
    },
  })
})

test('another request id, or no operation at all, is 404 PendingCertificateNotFound', async () => {
  const name = target.name('certificates', 'ids')
  await create(name, policyOf('Unknown'))
  const other = `/certificates/${name}/pending?request_id=${'0'.repeat(32)}`
  const wrong = await target.call('GET', other)
  assert.equal(wrong.status, 404)
  assert.equal(stringAt(wrong.body, 'error', 'code'), 'PendingCertificateNotFound')
  const none = await target.call('POST', '/certificates/contract-none/pending/merge', {
    x5c: ['dGVzdA=='],
  })
  assert.equal(none.status, 404)
  assert.deepEqual(none.body, {
    error: {
      code: 'PendingCertificateNotFound',
      message: 'Pending Certificate not found: contract-none',
    },
  })
})

test('a cancellation is only requested, and refused after the end', async () => {
  const name = target.name('certificates', 'cancel')
  await create(name, policyOf('Unknown'))
  const path = `/certificates/${name}/pending`
  const cancelled = await target.call('PATCH', path, { cancellation_requested: true })
  assert.equal(cancelled.status, 200)
  assert.equal(at(cancelled.body, 'cancellation_requested'), true)
  assert.equal(at(cancelled.body, 'status'), 'inProgress')
  const done = target.name('certificates', 'too-late')
  await create(done, policyOf('Self'))
  await target.release(done)
  const late = await target.call('PATCH', `/certificates/${done}/pending`, {
    cancellation_requested: true,
  })
  assert.equal(late.status, 400)
})

test('a deleted operation is gone', async () => {
  const name = target.name('certificates', 'forgotten')
  await create(name, policyOf('Unknown'))
  const path = `/certificates/${name}/pending`
  assert.equal((await target.call('DELETE', path)).status, 200)
  const { status, body } = await target.call('GET', path)
  assert.equal(status, 404)
  assert.equal(stringAt(body, 'error', 'message'), `Pending Certificate not found: ${name}`)
})

test('a merge is forbidden while an issuer is at work', async () => {
  const name = target.name('certificates', 'at-work')
  target.hold()
  await create(name, policyOf('Self'))
  const answer = await target.call('POST', `/certificates/${name}/pending/merge`, {
    x5c: ['dGVzdA=='],
  })
  await target.release(name)
  assert.equal(answer.status, 403)
  assert.equal(stringAt(answer.body, 'error', 'code'), 'Forbidden')
})

test('the request for a certificate carries usages and names, and is for no CA', async () => {
  const name = target.name('certificates', 'request')
  const sans = {
    dns_names: ['a.example.com'],
    uris: ['spiffe://example.com/a'],
    ipAddresses: ['192.0.2.7', '2001:db8::7'],
    emails: ['a@example.com'],
  }
  const x509 = { subject: 'CN=a.example.com, O="Example, Inc."', sans }
  const { body } = await create(name, policyOf('Unknown', { x509_props: x509 }))
  target.write('request.der', Buffer.from(stringAt(body, 'csr'), 'base64'))
  const text = target.openssl('req', '-in', 'request.der', '-inform', 'DER', '-text', '-verify')
  assert.match(text, /Key Usage: critical\n +Digital Signature, Key Encipherment\n/)
  assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication\n/)
  assert.match(text, /Basic Constraints: \n +CA:FALSE\n/)
  for (const expected of [
    /DNS:a\.example\.com/,
    /URI:spiffe:\/\/example\.com\/a/,
    /IP Address:192\.0\.2\.7/,
    /IP Address:2001:DB8:0:0:0:0:0:7/,
    /email:a@example\.com/,
    /Subject: O ?= ?"?Example, Inc\."?, CN ?= ?a\.example\.com/,
  ]) {
    assert.match(text, expected)
  }
})

test('a merge looks at the public key and at nothing else', async () => {
  const name = target.name('certificates', 'merged')
  const poller = await client.beginCreateCertificate(name, {
    issuerName: 'Unknown',
    subject: 'CN=asked.example.com',
    keyType: 'EC',
    keyCurveName: 'P-256',
  })
  poller.stopPolling()
  const { certificateOperation } = (await client.getCertificateOperation(name)).getOperationState()
  target.write('merge.csr.der', certificateOperation?.csr ?? new Uint8Array())
  target.write('ca.ext', 'basicConstraints=critical,CA:TRUE\n')
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  target.openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=CA')
  const request = ['-req', '-in', 'merge.csr.der', '-inform', 'DER', '-days', '5']
  const ca = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-extfile', 'ca.ext', '-out', 'merged.pem']
  target.openssl('x509', ...request, ...ca)
  const chain = ['merged.pem', 'ca.pem'].map((file) => new X509Certificate(target.read(file)).raw)

  const foreign = await target.call('POST', `/certificates/${name}/pending/merge`, {
    x5c: [chain[1]?.toString('base64')],
  })
  assert.equal(foreign.status, 400)
  await assert.rejects(client.mergeCertificate(name, []), refusal(400, 'BadParameter'))
  const merged = await client.mergeCertificate(name, chain)
  assert.deepEqual(Buffer.from(merged.cer ?? []), chain[0])
  assert.equal(merged.properties.enabled, true)
  const leaf = new X509Certificate(target.read('merged.pem'))
  assert.deepEqual(merged.properties.notBefore, leaf.validFromDate)
  assert.deepEqual(merged.properties.expiresOn, leaf.validToDate)
  assert.equal(merged.policy?.subject, 'CN=asked.example.com')
  const { body } = await target.call('GET', `/certificates/${name}`)
  assert.deepEqual(at(body, 'policy', 'x509_props', 'basic_constraints'), { ca: false })
  assert.equal(leaf.ca, true)
})

test('the merge answers 201 with where the certificate is', async () => {
  const name = target.name('certificates', 'merged-raw')
  const { body } = await create(name, policyOf('Unknown'))
  target.write('raw.csr.der', Buffer.from(stringAt(body, 'csr'), 'base64'))
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  target.openssl('req', '-x509', ...ec, '-keyout', 'r.key', '-out', 'r.pem', '-subj', '/CN=R')
  const request = ['-req', '-in', 'raw.csr.der', '-inform', 'DER', '-out', 'raw.pem']
  target.openssl('x509', ...request, '-CA', 'r.pem', '-CAkey', 'r.key')
  const x5c = [new X509Certificate(target.read('raw.pem')).raw.toString('base64')]
  const merged = await target.call('POST', `/certificates/${name}/pending/merge`, { x5c })
  assert.equal(merged.status, 201)
  assert.equal(
    merged.headers.location,
    `${target.url}/certificates/${name}?api-version=${apiVersion}`,
  )
  assert.equal(at(merged.body, 'cer'), x5c[0])
  assert.equal(stringAt(merged.body, 'pending', 'id'), `${target.url}/certificates/${name}/pending`)
})

test(
  'an issuer that refuses leaves a failed operation that still says in progress',
  devOnly,
  async () => {
    const name = target.name('certificates', 'failed')
    const message =
      'The call to DigiCert failed with Error code access_denied_invalid_key and message no.'
    target.dev.control.behaviour.set({ creationFailure: { code: 'Request rejected', message } })
    await create(name, policyOf('Self'))
    await target.release(name)
    const { body } = await target.call('GET', `/certificates/${name}/pending`)
    assert.equal(at(body, 'status'), 'failed')
    assert.match(stringAt(body, 'status_details'), /is in progress/)
    assert.deepEqual(at(body, 'error'), { code: 'Request rejected', message })
  },
)

test('the poller of the SDK waits for the certificate', async () => {
  const name = target.name('certificates', 'poller')
  const policy = { issuerName: 'Self', subject: 'CN=a', keyType: 'EC', keyCurveName: 'P-256' }
  const poller = await client.beginCreateCertificate(name, policy, target.poll)
  const certificate = await poller.pollUntilDone()
  assert.equal(certificate.properties.enabled, true)
  assert.ok(certificate.cer)
  const operation = await client.getCertificateOperation(name, target.poll)
  assert.equal(operation.getOperationState().certificateOperation?.status, 'completed')
})
