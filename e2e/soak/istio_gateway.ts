// 20 rotations by our issuer and 20 in Key Vault behind one gateway, each under 5,000 handshakes and
// two connections that are held.
import assert from 'node:assert/strict'
import { encodePem } from '../../src/pki/pem.ts'
import { istioNamespace } from '../harness/istio/istiod.ts'
import { rotateBehindGateway } from '../product/gateway_rotations.ts'
import { startGatewayScene } from '../product/gateway_scene.ts'
import { renewByHand } from '../product/renewal.ts'
import { certificatesIn } from '../product/scene.ts'

const { scene, tutorial, port, shopCa } = await startGatewayScene()
try {
  const sections = ['Issuer', 'Certificate', 'Gateway', 'Certificates that Key Vault owns']
  for (const section of sections) await tutorial.follow(section)

  const myapp = { port, host: 'myapp.example.com', roots: scene.ca.pem }
  const path = `${certificatesIn(istioNamespace)}/myapp-cert` as const
  await rotate('signed', myapp, 'myapp-tls', () => renewByHand(scene, path))

  const roots = encodePem('CERTIFICATE', shopCa.root.certificate.der)
  const shop = { port, host: 'shop.example.com', roots }
  await rotate('delivered', shop, 'shop-tls', async () => {
    await shopCa.import(scene.vault, 'shop')
  })
} finally {
  await scene.stop()
}

async function rotate(
  how: string,
  target: Parameters<typeof rotateBehindGateway>[1],
  secretName: string,
  next: () => Promise<void>,
): Promise<void> {
  const seen = await rotateBehindGateway(scene, target, secretName, 20, next)
  process.stdout.write(`${how}: ${seen.described}\n`)
  assert.deepEqual(seen.failures, [])
  assert.ok(seen.handshakes >= 5_000, seen.described)
}
