import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OpenRequests } from '../../src/issuance/open_requests.ts'
import { makeCondition, makeRequest } from './make_request.ts'

const claim = { issuer: 'ClusterIssuer/akv-issuer', form: 'grouped' } as const
const other = { issuer: 'ClusterIssuer/other', form: 'grouped' } as const

test('a word of Pending is no news; a verdict of an approver is', () => {
  const requests = new OpenRequests()
  const waiting = makeRequest({ approved: undefined })
  assert.equal(requests.put(waiting, claim), true)
  const pending = { ...waiting, ready: makeCondition('Ready', 'Pending', 'False') }
  assert.equal(requests.put(pending, claim), false)
  assert.equal(requests.get(waiting.uid)?.request, pending)
  assert.equal(requests.put(makeRequest(), claim), true)
  assert.equal(requests.size, 1)
})

test('an issuer wakes its own requests, and no more', () => {
  const requests = new OpenRequests()
  for (const uid of ['a', 'b']) requests.put(makeRequest({ uid }), claim)
  requests.put(makeRequest({ uid: 'c' }), other)
  assert.deepEqual([...requests.ofIssuer(claim.issuer)], ['a', 'b'])
  requests.delete('a')
  assert.deepEqual([...requests.ofIssuer(claim.issuer)], ['b'])
  assert.deepEqual([...requests.ofIssuer('ClusterIssuer/none')], [])
})

test('news of one Key Vault certificate leaves those asleep that wait for another', () => {
  const requests = new OpenRequests()
  for (const uid of ['any', 'waits', 'waits-else']) requests.put(makeRequest({ uid }), claim)
  const waiting = requests.get('waits')
  const waitingElse = requests.get('waits-else')
  assert(waiting && waitingElse)
  waiting.waitsFor = 'myapp'
  waitingElse.waitsFor = 'other'
  // What a watch shows meanwhile changes nothing of it.
  requests.put(makeRequest({ uid: 'waits-else' }), claim)
  assert.deepEqual([...requests.ofIssuer(claim.issuer, 'MyApp')], ['any', 'waits'])
})

test('a Certificate wakes the requests that it controls', () => {
  const requests = new OpenRequests()
  requests.put(makeRequest({ uid: 'its' }), claim)
  requests.put(makeRequest({ uid: 'bare', certificate: undefined }), claim)
  const { certificate } = makeRequest()
  assert.deepEqual([...requests.ofCertificate(certificate?.uid ?? '')], ['its'])
})
