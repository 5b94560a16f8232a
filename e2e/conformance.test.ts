import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { encodePem } from '../src/pki/pem.ts'
import { keyOf } from '../test/pki/keys.ts'
import { day, makeCa } from '../test/pki/make_ca.ts'
import { cases } from './conformance/cases.ts'
import { checkIssued } from './conformance/checks.ts'
import { type CertificateSpec, type Issued, issuedNow } from './conformance/issued.ts'
import { textAt } from './harness/json.ts'
import { ourGroup } from './product/manifests.ts'
import { certificatesIn, type Scene, startScene } from './product/scene.ts'
import type { Validator } from './validators/chain.ts'
import { validators } from './validators/validators.ts'

/** All that a request may ask for. */
const openPolicy = {
  ipRanges: ['*'],
  uris: ['*'],
  emailDomains: ['*'],
  otherNames: ['*'],
  isCA: { allowed: true, namespaces: { all: true } },
}

/** The suite of cert-manager for external issuers, and its own CA issuer as the yardstick. */
describe("cert-manager's conformance cases", () => {
  let scene: Scene
  let go: Validator
  before(async () => {
    const judges = await validators()
    const found = judges.find(({ name }) => name === 'crypto/x509')
    assert.ok(found)
    go = found
    scene = await startScene({ spec: { policy: openPolicy } })
  })
  after(() => scene?.stop())

  const issuers = [
    {
      name: 'akv-issuer',
      ref: { name: 'akv-issuer', kind: 'ClusterIssuer', group: ourGroup },
      prepare: () => Promise.resolve(),
    },
    {
      name: "cert-manager's CA issuer",
      ref: { name: 'in-tree', kind: 'Issuer', group: 'cert-manager.io' },
      prepare: (namespace: string) => createInTreeIssuer(scene, namespace),
    },
  ] as const

  for (const { name, ref, prepare } of issuers) {
    describe(name, () => {
      let namespace: string
      before(async () => {
        namespace = await scene.cluster.namespace('conformance')
        await prepare(namespace)
        await Promise.all(cases.map(({ spec }, n) => create(`case-${n}`, spec)))
      })

      const create = (certificate: string, spec: CertificateSpec) =>
        scene.cluster.must('POST', certificatesIn(namespace), {
          apiVersion: 'cert-manager.io/v1',
          kind: 'Certificate',
          metadata: { name: certificate },
          spec: { secretName: `${certificate}-tls`, issuerRef: ref, ...spec },
        })
      const checked = async (certificate: string, spec: CertificateSpec): Promise<Issued> => {
        const issued = await issuedNow(scene, namespace, certificate)
        await checkIssued(issued, spec, go)
        return issued
      }

      for (const [n, { title, spec, more, expected }] of cases.entries()) {
        test(`issues for ${title}`, async () => {
          const issued = await checked(`case-${n}`, spec)
          assert.deepEqual(more?.(issued), expected)
        })
      }

      test('issues again for the same key when the certificate is emptied', async () => {
        const spec = {
          dnsNames: ['again.example.com'],
          privateKey: { rotationPolicy: 'Never' },
        } as const
        await create('again', spec)
        const first = await checked('again', spec)

        const secret = `/api/v1/namespaces/${namespace}/secrets/again-tls` as const
        await scene.cluster.must('PATCH', secret, { data: { 'tls.crt': '' } })
        await scene.object(
          secret,
          'a certificate again',
          (now) => textAt(now, 'data', 'tls.crt') !== '',
        )
        const second = await checked('again', spec)
        assert.notEqual(second.leaf.serialNumber, first.leaf.serialNumber)
        assert.ok(second.privateKey.equals(first.privateKey))
      })

      test('issues for a DNS name that was added', async () => {
        await create('grown', { dnsNames: ['a.example.com'] })
        await checked('grown', { dnsNames: ['a.example.com'] })
        const spec = { dnsNames: ['a.example.com', 'b.example.com'] }
        await scene.cluster.must('PATCH', `${certificatesIn(namespace)}/grown`, { spec })
        await checked('grown', spec)
      })
    })
  }
})

/** cert-manager's CA issuer `in-tree`, with a root of its own. */
async function createInTreeIssuer(scene: Scene, namespace: string): Promise<void> {
  const key = keyOf('RSA 2048', 'in-tree')
  const now = Date.now()
  const { certificate } = makeCa({
    name: 'In-tree Root',
    key,
    notBefore: now - day,
    notAfter: now + 3650 * day,
  })
  await scene.cluster.must('POST', `/api/v1/namespaces/${namespace}/secrets`, {
    metadata: { name: 'in-tree-root' },
    type: 'kubernetes.io/tls',
    stringData: {
      'tls.crt': encodePem('CERTIFICATE', certificate.der),
      'tls.key': key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    },
  })
  const issuers = `/apis/cert-manager.io/v1/namespaces/${namespace}/issuers` as const
  await scene.cluster.must('POST', issuers, {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Issuer',
    metadata: { name: 'in-tree' },
    spec: { ca: { secretName: 'in-tree-root' } },
  })
  await scene.ready(`${issuers}/in-tree`)
}
