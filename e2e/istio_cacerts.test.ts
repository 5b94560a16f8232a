import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parseCertificate } from '../src/pki/certificate.ts'
import { keyUsage } from '../src/pki/key_usage.ts'
import { oid } from '../src/pki/oids.ts'
import { encodePem } from '../src/pki/pem.ts'
import { day, makeCa } from '../test/pki/make_ca.ts'
import { createCertificate, GrpcError } from './harness/istio/certificate_service.ts'
import { type Istiod, istioNamespace } from './harness/istio/istiod.ts'
import {
  certify,
  createIdentity,
  type Identity,
  meet,
  type Workload,
} from './harness/istio/workload.ts'
import { istioLeftOut } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { textOf } from './product/delivery_scene.ts'
import { cacertsPath, meshRoots, shownBy, startMesh } from './product/mesh.ts'
import { faultsOf, strangerTo } from './product/mesh_workloads.ts'
import { renewByHand } from './product/renewal.ts'
import { type Scene, startScene } from './product/scene.ts'
import { certificatesOf, idOf, readSecret, type TlsSecret } from './product/tls_secret.ts'

describe('istiod with a CA from Key Vault', { skip: istioLeftOut() }, () => {
  let scene: Scene
  let istiod: Istiod
  let ca: TlsSecret
  let roots: string
  before(async () => {
    scene = await startScene({ latencyMs: 20 })
    ;({ istiod, ca } = await startMesh(scene, 'cluster-a'))
    roots = textOf(ca.secret, 'ca.crt')
  })
  after(() => scene?.stop())

  const createWorkload = async (name: string): Promise<Workload> =>
    certify(istiod, await createIdentity(istiod, 'apps', name), roots)

  test('the Secret is what istiod reads: one intermediate, the root apart, whole lines', () => {
    const chain = textOf(ca.secret, 'tls.crt')
    assert.equal(certificatesOf(chain).length, 1)
    assert.match(chain, /-----END CERTIFICATE-----\n$/)
    assert.equal(roots, scene.ca.pem)
    assert.equal(ca.leaf.subject, 'O=cluster.local\nCN=istiod cluster-a')
    const parsed = parseCertificate(ca.leaf.raw)
    assert.ok(parsed.ok)
    const { basicConstraints, keyUsage: bits, extendedKeyUsage, ...rest } = parsed.value.extensions
    const { digitalSignature, keyCertSign, cRLSign } = keyUsage
    assert.deepEqual(
      { basicConstraints, bits, extendedKeyUsage },
      {
        basicConstraints: { ca: true, pathLength: 0 },
        bits: digitalSignature | keyCertSign | cRLSign,
        extendedKeyUsage: undefined,
      },
    )
    assert.deepEqual(
      rest.all.filter(({ critical }) => critical).map((extension) => extension.oid),
      [oid.basicConstraints, oid.keyUsage, oid.nameConstraints],
    )
  })

  test('its own certificate hangs on the intermediate, and the root alone verifies it', async () => {
    const [own, intermediate] = await shownBy(istiod, roots)
    assert.equal(own?.issuer, ca.leaf.subject)
    assert.equal(idOf(intermediate), idOf(ca.leaf))
    const stranger = makeCa({ name: 'Fabrikam Root', ...life })
    const otherRoots = encodePem('CERTIFICATE', stranger.certificate.der)
    await assert.rejects(shownBy(istiod, otherRoots), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
  })

  test('workloads are told to trust the root, to the octet', async () => {
    await scene.cluster.serviceAccount('apps', 'frontend')
    assert.equal(await meshRoots(istiod, 'apps'), roots)
  })

  test('a workload gets its identity and nothing else, whatever its CSR says', async () => {
    const frontend = await createIdentity(istiod, 'apps', 'frontend')
    const admin = await createIdentity(istiod, 'apps', 'admin')
    const stolen = await certify(istiod, { ...admin, token: frontend.token }, roots)
    const [leaf] = certificatesOf(stolen.chain)
    assert.equal(leaf?.subjectAltName, `URI:${frontend.identity}`)
    const credential = { token: `${frontend.token}x` }
    await assert.rejects(
      createCertificate(istiod, { csr: frontend.csr, roots, credential }),
      (error) => error instanceof GrpcError && error.code === 16,
    )
  })

  test('workloads meet by mutual TLS, each as server and as client; OpenSSL agrees', async () => {
    const [frontend, backend] = [await createWorkload('frontend'), await createWorkload('backend')]
    assert.deepEqual(await meet(frontend, backend), {
      server: backend.identity,
      client: frontend.identity,
    })
    assert.deepEqual(await meet(backend, frontend), {
      server: frontend.identity,
      client: backend.identity,
    })
    assert.deepEqual(await faultsOf(frontend), [])
  })

  test('a workload of another root is refused by servers and by clients', async () => {
    const frontend = await createWorkload('frontend')
    const stranger = strangerTo(frontend)
    const asServer = await meet(stranger, frontend)
    assert.equal(asServer.client, 'self-signed certificate in certificate chain')
    // It trusts the mesh, so that the server has to say no.
    const asClient = await meet(frontend, { ...stranger, roots })
    assert.equal(asClient.server, 'SELF_SIGNED_CERT_IN_CHAIN')
    assert.equal(asClient.client, 'closed without a word')
  })

  test('renewals under the same root: no restart, and never a call that fails', async (t) => {
    const identity = await createIdentity(istiod, 'apps', 'frontend')
    const early = await certify(istiod, identity, roots)
    const { pid } = istiod.process.identity
    const calls = new SteadyCalls(istiod, identity, roots)
    const ms: number[] = []
    for (let renewal = 0; renewal < 3; renewal++) {
      const old = await readSecret(scene, istioNamespace, 'cacerts')
      await renewByHand(scene, cacertsPath)
      const renewed = await until('a new intermediate in the Secret', async () => {
        const now = await readSecret(scene, istioNamespace, 'cacerts')
        return idOf(now.leaf) !== idOf(old.leaf) && now
      })
      const from = performance.now()
      assert.equal(textOf(renewed.secret, 'ca.crt'), roots)
      await until('istiod signs with it', async () => {
        const [, intermediate] = await shownBy(istiod, roots)
        return idOf(intermediate) === idOf(renewed.leaf)
      })
      ms.push(Math.round(performance.now() - from))
      await delay(1_000)
    }
    const { issuers, failures, answered } = await calls.stop()
    t.diagnostic(`${answered} calls of CreateCertificate, ${failures.length} failed`)
    t.diagnostic(`Secret to istiod's own chain: ${ms.join(', ')} ms`)
    assert.deepEqual(failures, [])
    assert.equal(issuers.size, 4, 'intermediates that have signed')
    assert.equal(istiod.process.exit, undefined)
    assert.equal(istiod.process.identity.pid, pid)
    assert.equal(await meshRoots(istiod, 'apps'), roots)
    // What the first intermediate has signed is good until it expires.
    const now = await createWorkload('backend')
    assert.deepEqual(await meet(early, now), { server: now.identity, client: early.identity })
    assert.deepEqual(await meet(now, early), { server: early.identity, client: now.identity })
  })
})

/** Ten calls of CreateCertificate a second, each over a connection of its own. */
class SteadyCalls {
  readonly failures: string[] = []
  /** The intermediates that signed, by fingerprint. */
  readonly issuers = new Set<string>()
  answered = 0
  readonly #open = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout

  constructor(istiod: Istiod, identity: Identity, roots: string) {
    this.#timer = setInterval(() => {
      const call = certify(istiod, identity, roots)
        .then(
          ({ chain }) => this.#take(chain),
          (error: Error) => void this.failures.push(error.message),
        )
        .finally(() => this.#open.delete(call))
      this.#open.add(call)
    }, 100)
  }

  async stop(): Promise<this> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    return this
  }

  #take(chain: string): void {
    const [leaf, intermediate] = certificatesOf(chain)
    if (intermediate && leaf?.checkIssued(intermediate) && leaf.verify(intermediate.publicKey)) {
      this.answered++
      this.issuers.add(intermediate.fingerprint256)
    } else this.failures.push(`the leaf is not by the intermediate it came with: ${chain}`)
  }
}

const life = { notBefore: Date.now() - day, notAfter: Date.now() + day }
