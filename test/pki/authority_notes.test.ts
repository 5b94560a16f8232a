import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { expiryNotes, limitNotes } from '../../src/pki/authority_notes.ts'
import { explicit, objectIdentifier, sequence } from '../../src/pki/der_writer.ts'
import { oid } from '../../src/pki/oids.ts'
import { type Ca, day, makeAuthority, makeCa, now } from './make_ca.ts'
import { dnsName, extension, ipName, uriName } from './make_csr.ts'

const root = makeCa({ name: 'Root' })

function notesOf(ca: Ca, above: readonly Ca[] = []): readonly string[] {
  const authority = makeAuthority(ca, above)
  return [...expiryNotes(authority, now), ...limitNotes(authority)]
}

function purposes(...ids: readonly string[]): Uint8Array {
  return extension(oid.extKeyUsage, sequence(...ids.map(objectIdentifier)))
}

describe('the notes on an authority', () => {
  const constraints = sequence(
    explicit(0, sequence(dnsName('example.com')), sequence(ipName(10, 0, 0, 0, 255, 0, 0, 0))),
    explicit(1, sequence(dnsName('secret.example.com'))),
  )
  const dying = makeCa({ name: 'Dying Root', notAfter: now + 29 * day })
  const constrained = makeCa({
    name: 'Constrained',
    extensions: [extension(oid.nameConstraints, constraints, true)],
  })
  const servers = makeCa({ name: 'Servers', extensions: [purposes(oid.serverAuth)] })
  const oneMesh = sequence(explicit(0, sequence(uriName('mesh.example.com'))))
  const shallow = makeCa({ name: 'Shallow Root', pathLength: 1 })
  const cases: readonly (readonly [string, readonly string[], Ca, readonly Ca[]])[] = [
    ['are none where nothing limits it', [], root, []],
    ['are none with 30 days left', [], makeCa({ notAfter: now + 30 * day }), []],
    [
      'say when it expires',
      [
        'the CA certificate for CN=A expires in 2 days, at 2026-11-25T09:59:59Z; nothing it signs outlives it',
      ],
      makeCa({ name: 'A', notAfter: now + 3 * day - 1000 }),
      [],
    ],
    [
      'say when a CA above it expires',
      [
        'the CA certificate for CN=Dying Root expires in 29 days, at 2026-12-21T10:00:00Z; nothing it signs outlives it',
      ],
      makeCa({ name: 'Below', issuer: dying }),
      [dying],
    ],
    [
      'say that it expires today',
      [
        'the CA certificate for CN=A expires in less than a day, at 2026-11-22T10:00:00Z; nothing it signs outlives it',
      ],
      makeCa({ name: 'A', notAfter: now }),
      [],
    ],
    [
      'say which usages it is limited to',
      [
        'the CA certificate for CN=A is limited to the usages [server auth, client auth, 1.2.3]; others are refused',
      ],
      makeCa({ name: 'A', extensions: [purposes(oid.serverAuth, oid.clientAuth, '1.2.3')] }),
      [],
    ],
    [
      'say that workloads below a CA are limited to its usages, and by which CA of the chain',
      [
        'the CA certificate for CN=Servers is limited to the usages [server auth]; others are refused, and what a Certificate with isCA: true signs is good for no others; workloads of a mesh need [client auth] too: for them use a CA without extKeyUsage',
      ],
      makeCa({ name: 'Below', issuer: servers }),
      [servers],
    ],
    [
      'are none for usages that are any',
      [],
      makeCa({ extensions: [purposes(oid.serverAuth, oid.anyExtendedKeyUsage)] }),
      [],
    ],
    [
      'say how names are constrained, and by which CA',
      [
        'the CA certificate for CN=Constrained constrains names: permitted DNS name "example.com", IP address 10.0.0.0/255.0.0.0; excluded DNS name "secret.example.com"; names outside are refused',
      ],
      makeCa({ name: 'Below', issuer: constrained }),
      [constrained],
    ],
    [
      'say that a constraint of URIs bounds trust domains',
      [
        'the CA certificate for CN=A constrains names: permitted URI "mesh.example.com"; names outside are refused; workloads below a Certificate with isCA: true can connect only if the trust domain of their SPIFFE URIs is within: for others use a CA that does not constrain URIs',
      ],
      makeCa({ name: 'A', extensions: [extension(oid.nameConstraints, oneMesh, true)] }),
      [],
    ],
    [
      'say that it cannot issue CAs',
      [
        'no CA may stand below the CA certificate for CN=A (pathLenConstraint, its own); Certificates with isCA: true are refused: for them use a CA whose chain leaves room below',
      ],
      makeCa({ name: 'A', pathLength: 0 }),
      [],
    ],
    [
      'say that a CA above it allows no more CAs',
      [
        'no CA may stand below the CA certificate for CN=Below (pathLenConstraint, that of the CA certificate for CN=Shallow Root); Certificates with isCA: true are refused: for them use a CA whose chain leaves room below',
      ],
      makeCa({ name: 'Below', issuer: shallow }),
      [shallow],
    ],
  ]
  for (const [title, notes, ca, above] of cases) {
    test(title, () => assert.deepEqual(notesOf(ca, above), notes))
  }
})
