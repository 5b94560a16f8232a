import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Issuance } from '../../src/issuance/issuances.ts'
import { type Offer, type Standing, standingOf } from '../../src/issuance/standing.ts'
import { makeCertificate } from './make_delivery.ts'
import { makeCondition } from './make_request.ts'

const keyId = 'https://contoso.vault.azure.net/keys/ca/1'
const published: Offer = { rootsDigest: 'A+B', keyId, hasNext: true, nextSigns: false }
const active: Offer = { ...published, nextSigns: true }
const promoted: Offer = { rootsDigest: 'B', keyId, hasNext: false, nextSigns: false }

const issued = makeCertificate({ revision: 3, issuing: undefined })
const issuing = { ...issued, issuing: makeCondition('Issuing', 'Renewing') }
const failed = { ...issued, lastFailureTime: '2026-11-22T09:00:00Z' }

function carries(digest: string): Issuance {
  return {
    uid: 'r',
    namespace: 'team',
    name: 'myapp-3',
    issuer: 'ClusterIssuer/mesh',
    roots: { digest, count: digest.split('+').length },
  }
}

describe('a Certificate', () => {
  type Row = readonly [
    string,
    Standing,
    typeof issued,
    Issuance | undefined,
    Offer,
    (boolean | undefined)?,
  ]
  const rows: readonly Row[] = [
    ['with both roots has what is published', 'current', issued, carries('A+B'), published],
    ['with one root is due', 'due', issued, carries('A'), published],
    ['with the roots in another order is due', 'due', issued, carries('B+A'), published],
    ['that is due and under way is left alone', 'issuing', issuing, carries('A'), published],
    ['that is due and failed is left to its back-off', 'failed', failed, carries('A'), published],
    ['whose request is gone is unknown', 'unknown', issued, undefined, published],
    ['that is renewed by itself is no trouble', 'current', issuing, carries('A+B'), published],
    ['never issued takes no part', 'apart', { ...issued, revision: 0 }, undefined, published],
    ['has to be read once the next CA signs', 'unread', issued, carries('A+B'), active],
    ['that the next CA signed is done', 'current', issued, carries('A+B'), active, true],
    ['that the old CA signed is due', 'due', issued, carries('A+B'), active, false],
    ['that lacks a root need not be read', 'due', issued, carries('A'), active],
    ['is due when the old root is dropped', 'due', issued, carries('A+B'), promoted],
    ['with the new root alone is done', 'current', issued, carries('B'), promoted],
    ['of a CA exchanged without a rollover is left alone', 'apart', issued, carries('X'), promoted],
  ]
  for (const [title, standing, certificate, issuance, offer, signedBy] of rows) {
    test(`${title}: ${standing}`, () =>
      assert.equal(standingOf(certificate, issuance, offer, signedBy), standing))
  }
})
