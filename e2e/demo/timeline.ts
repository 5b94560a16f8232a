import type { Cluster } from '../harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'

/** One thing that happened to a Certificate, in seconds since it was created. */
export interface Step {
  readonly ms: number
  readonly what: string
}

export interface Followed {
  readonly steps: readonly Step[]
  /** From creation to Ready. */
  readonly ms: number
  readonly secret: Json
}

const namespace = 'istio-system'

/** Applies a Certificate and watches what becomes of it, until cert-manager says it is Ready. */
export async function follow(
  cluster: Cluster,
  yamlFile: string,
  name: string,
  secretName: string,
): Promise<Followed> {
  const seen = new Map<string, number>()
  const begin = performance.now()
  const note = (what: string) => {
    if (!seen.has(what)) seen.set(what, performance.now() - begin)
  }
  const group = `/apis/cert-manager.io/v1/namespaces/${namespace}` as const
  const stops = [
    cluster.watch(`${group}/certificates`, ({ object }) => {
      if (textAt(object, 'metadata', 'name') !== name) return
      note('Certificate created')
      if (isTrue(object, 'Ready')) note('Certificate Ready')
    }),
    cluster.watch(`${group}/certificaterequests`, ({ object }) => {
      if (textAt(object, 'metadata', 'name') === `${name}-1`) noteRequest(object, note)
    }),
    cluster.watch(`/api/v1/namespaces/${namespace}/secrets`, ({ object }) => {
      if (textAt(object, 'metadata', 'name') === secretName) {
        note(`cert-manager wrote Secret ${secretName}`)
      }
    }),
  ]
  try {
    const { code, stderr } = await cluster.kubectl(['apply', '-f', yamlFile])
    if (code !== 0) throw new Error(`kubectl apply -f ${yamlFile}: ${stderr}`)
    await until(`Certificate ${name} Ready`, () => seen.has('Certificate Ready'))
  } finally {
    for (const stop of stops) stop()
  }
  const start = seen.get('Certificate created') ?? 0
  const steps = [...seen]
    .map(([what, ms]) => ({ what, ms: Math.max(0, ms - start) }))
    .sort((a, b) => a.ms - b.ms)
  const secret = await cluster.must('GET', `/api/v1/namespaces/${namespace}/secrets/${secretName}`)
  return { steps, ms: (seen.get('Certificate Ready') ?? 0) - start, secret }
}

function noteRequest(request: Json, note: (what: string) => void): void {
  const name = textAt(request, 'metadata', 'name')
  note(`CertificateRequest ${name} created`)
  const approved = conditionOf(request, 'Approved')
  if (approved) note(`approved by ${textAt(approved, 'reason')}`)
  const ready = conditionOf(request, 'Ready')
  if (ready) {
    const reason = textAt(ready, 'reason')
    const who = reason === 'Pending' ? 'cert-manager says' : 'akv-issuer answers'
    note(`${who} ${reason}: ${textAt(ready, 'message')}`)
  }
}

function isTrue(object: Json, type: string): boolean {
  return at(conditionOf(object, type), 'status') === 'True'
}
