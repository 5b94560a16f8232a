import type { Cluster } from '../harness/cluster.ts'
import { at, type Json, listAt, parseJson, textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'

/** What the controller told of an object by an Event. */
export interface ToldEvent {
  readonly type: string
  readonly reason: string
  readonly note: string
}

/**
 * The Events by our controller, or another, about an object, oldest first, each once however often it
 * came.
 */
export async function eventsOn(
  cluster: Cluster,
  object: Json,
  by = 'keyvault.akv-issuer.io/akv-issuer',
): Promise<readonly ToldEvent[]> {
  const uid = textAt(object, 'metadata', 'uid')
  const namespace = at(object, 'metadata', 'namespace') ?? 'default'
  const list = await cluster.must('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`)
  return listAt(list, 'items')
    .filter((event) => at(event, 'regarding', 'uid') === uid)
    .filter((event) => at(event, 'reportingController') === by)
    .sort((a, b) => (textAt(a, 'eventTime') < textAt(b, 'eventTime') ? -1 : 1))
    .map((event) => ({
      type: textAt(event, 'type'),
      reason: textAt(event, 'reason'),
      note: textAt(event, 'note'),
    }))
}

/** The lines of the controller's log as objects. */
export function logLines(controller: RunningProcess): readonly Json[] {
  return controller
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => parseJson(line))
}

/** Its first line, with where it listens. */
export function startedLine(controller: RunningProcess): Json | undefined {
  return logLines(controller).find((line) => at(line, 'message') === 'started')
}
