import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Issuances } from '../../src/issuance/issuances.ts'
import { makeRequest } from './make_request.ts'

const issuer = 'ClusterIssuer/akv-issuer'
const answered = makeRequest({ hasCertificate: true, roots: { digest: 'A+B', count: 2 } })
const owner = answered.certificate?.uid ?? ''

test('an answered request tells what its Certificate has, by its revision', () => {
  const issuances = new Issuances()
  assert.equal(issuances.observe('added', makeRequest()), undefined)
  assert.equal(issuances.observe('updated', answered), owner)
  assert.equal(issuances.observe('updated', answered), undefined)
  assert.deepEqual(issuances.get(owner, 1), {
    uid: answered.uid,
    namespace: answered.namespace,
    name: answered.name,
    issuer,
    roots: { digest: 'A+B', count: 2 },
  })
  assert.equal(issuances.get(owner, 2), undefined)
})

test('what cert-manager has cleared away is not known', () => {
  const issuances = new Issuances()
  issuances.observe('added', answered)
  assert.equal(issuances.observe('deleted', answered), owner)
  assert.equal(issuances.get(owner, 1), undefined)
  assert.equal(issuances.observe('deleted', answered), undefined)
})

test('the end of a request takes nothing from a later one of the same revision', () => {
  const issuances = new Issuances()
  issuances.observe('added', answered)
  issuances.observe('added', { ...answered, uid: 'later' })
  issuances.observe('deleted', answered)
  assert.equal(issuances.get(owner, 1)?.uid, 'later')
})

test('a bundle of several roots that is not the present one is a rollover to be ended', () => {
  const issuances = new Issuances()
  issuances.observe('added', answered)
  issuances.observe('added', { ...answered, uid: 'x', roots: { digest: 'X', count: 1 } })
  assert.equal(issuances.hasBundlesBeside(issuer, 'B'), true)
  assert.equal(issuances.hasBundlesBeside(issuer, 'A+B'), false)
  assert.equal(issuances.hasBundlesBeside('ClusterIssuer/other', 'B'), false)
})
