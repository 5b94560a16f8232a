import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureIstio, ensureTools } from '../tools.ts'

/**
 * What gateways take, for the option `crds` of a cluster: Istio's Gateway and VirtualService, and
 * Gateway and GatewayClass of Kubernetes. The 20 others would hold the API server up at its start.
 */
export async function gatewayCrds(): Promise<readonly string[]> {
  const kubernetes = (await ensureTools()).path('gateway-api-crds')
  return [
    ...(await istioCrds(['gateways', 'virtualservices'])),
    ...['gateways', 'gatewayclasses'].map((plural) =>
      readFileSync(join(kubernetes, `gateway.networking.k8s.io_${plural}.yaml`), 'utf8'),
    ),
  ]
}

/** Those of Istio's networking kinds that are named. */
export async function istioCrds(plurals: readonly string[]): Promise<readonly string[]> {
  const file = join((await ensureIstio()).path('istio-crds'), 'crd-all.gen.yaml')
  const documents = readFileSync(file, 'utf8').split(/^---$/m)
  return plurals.map((plural) => {
    const heading = `\n  name: ${plural}.networking.istio.io\n`
    const found = documents.find((yaml) => yaml.includes(heading))
    if (found === undefined) throw new Error(`${file} has no ${plural}`)
    return found
  })
}
