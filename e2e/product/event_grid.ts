import { join } from 'node:path'
import type { Cluster } from '../harness/cluster.ts'
import { textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'
import type { DevVault } from './dev_vault.ts'
import { samplesOf } from './metrics.ts'
import { startedLine } from './told.ts'

const rbac = join(import.meta.dirname, '..', '..', 'config/rbac/event_grid')

/** Applies what a user applies for replicas to hand notices on. */
export async function allowNotices(cluster: Cluster): Promise<void> {
  const { code, stderr } = await cluster.kubectl(['apply', '-f', rbac])
  if (code !== 0) throw new Error(`kubectl apply: ${stderr}`)
}

/** Where Event Grid finds a controller that runs with `--event-grid-listen`. */
export function webhookOf(controller: RunningProcess): string {
  return `${textAt(startedLine(controller), 'eventGrid')}/event-grid`
}

export interface SubscriptionOptions {
  readonly name: string
  readonly endpoint: string
  readonly schema: 'EventGridSchema' | 'CloudEventSchemaV1_0'
  readonly entra?: { readonly audience: string; readonly tokenVersion?: '1.0' | '2.0' }
  readonly headers?: Readonly<Record<string, string>>
}

/** Has the vault's events sent to an endpoint; throws unless the endpoint does the handshake right. */
export async function subscribe(vault: DevVault, options: SubscriptionOptions): Promise<void> {
  await vault.admin('PUT', '/subscriptions', { vault: 'contoso', ...options })
}

/** How often the controller counted each outcome of a notice, those of 0 left out. */
export async function noticesOf(
  controller: RunningProcess,
): Promise<Readonly<Record<string, number>>> {
  const samples = await samplesOf(controller, 'akv_issuer_notices_total')
  return Object.fromEntries(samples.map(({ labels, value }) => [labels.outcome ?? '', value]))
}
