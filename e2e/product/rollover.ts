import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { AuditEvent } from '../harness/audit.ts'
import type { ApiPath } from '../harness/cluster.ts'
import { at, conditionOf, type Json, listAt, textAt } from '../harness/json.ts'
import { controllerUser, isAccepted } from './our_calls.ts'
import { certificatesIn, type Scene } from './scene.ts'
import { readSecret, type TlsSecret } from './tls_secret.ts'

const rolloverRbac = join(import.meta.dirname, '..', '..', 'config/rbac/rollover')

/** What an operator does once, to have Certificates issued anew. */
export async function allowReissue({ cluster }: Scene): Promise<void> {
  const { code, stderr } = await cluster.kubectl(['apply', '-f', rolloverRbac])
  assert.equal(code, 0, stderr)
}

/** Waits as a runbook does: for the condition, of the spec as it is now. */
export async function rolledOver(scene: Scene, issuer: string, ms = 120_000): Promise<void> {
  const wait = ['wait', '--for=condition=CARollover', `--timeout=${ms / 1000}s`]
  const { code, stderr } = await scene.cluster.kubectl([
    ...wait,
    `clusterissuers.keyvault.akv-issuer.io/${issuer}`,
  ])
  if (code !== 0) assert.fail(scene.evidence(stderr))
}

/** The issuer once CARollover has the reason, for the spec as it is now. */
export function rolloverReason(scene: Scene, path: ApiPath, reason: string): Promise<Json> {
  return scene.object(path, `CARollover ${reason}`, (object) => {
    const condition = conditionOf(object, 'CARollover')
    const isCurrent = at(condition, 'observedGeneration') === at(object, 'metadata', 'generation')
    return isCurrent && at(condition, 'reason') === reason
  })
}

export interface Held extends TlsSecret {
  readonly name: string
  readonly revision: number
  /** The octets of `ca.crt`. */
  readonly bundle: string
}

/** What every Certificate of a namespace has, by name. */
export async function heldIn(scene: Scene, namespace: string): Promise<readonly Held[]> {
  const list = await scene.cluster.must('GET', certificatesIn(namespace))
  return await Promise.all(
    listAt(list, 'items').map(async (certificate) => {
      const tls = await readSecret(scene, namespace, textAt(certificate, 'spec', 'secretName'))
      const bundle = Buffer.from(textAt(tls.secret, 'data', 'ca.crt'), 'base64').toString()
      const revision = Number(at(certificate, 'status', 'revision'))
      return { ...tls, name: textAt(certificate, 'metadata', 'name'), revision, bundle }
    }),
  )
}

/** The times at which the controller asked for issuances, in milliseconds since the epoch. */
export function askedAt(events: readonly AuditEvent[]): readonly number[] {
  return events
    .filter(({ user, resource, subresource, verb }) => {
      const isStatus = resource === 'certificates' && subresource === 'status'
      return user === controllerUser && isStatus && verb === 'update'
    })
    .filter(isAccepted)
    .map(({ received }) => Date.parse(received))
}

export function mostInASecond(times: readonly number[]): number {
  return Math.max(
    ...times.map((from) => times.filter((time) => time >= from && time < from + 1000).length),
  )
}
