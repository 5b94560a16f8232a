import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureIstio, ensureTools } from '../tools.ts'

/** Istio's CRDs, a YAML document each, for the option `crds` of a cluster. */
export async function istioCrds(): Promise<readonly string[]> {
  const { path } = await ensureIstio()
  const all = readFileSync(join(path('istio-crds'), 'crd-all.gen.yaml'), 'utf8')
  return all.split(/^---$/m).filter(isCrd)
}

/** Those of the Kubernetes Gateway API. */
export async function gatewayApiCrds(): Promise<readonly string[]> {
  const folder = (await ensureTools()).path('gateway-api-crds')
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).filter(isCrd)
}

function isCrd(yaml: string): boolean {
  return /^kind: CustomResourceDefinition$/m.test(yaml)
}
