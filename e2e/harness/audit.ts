import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { ApiClient } from './api_client.ts'
import { at, type Json, parseJson, textAt } from './json.ts'
import { until } from './until.ts'

/** One finished request as the API server saw it. */
export interface AuditEvent {
  /** As in RBAC. A watch is logged when it ends. */
  readonly verb: string
  /** The impersonated one, if any. */
  readonly user: string
  /** Path and query. */
  readonly uri: string
  /** Status code of the answer. */
  readonly code: number
  readonly resource: string
  readonly subresource: string
  readonly apiGroup: string
  readonly namespace: string
  readonly name: string
  /** When it was received, RFC 3339 with microseconds. */
  readonly received: string
  /** What was sent: for writes of cert-manager.io statuses only. */
  readonly requestObject: Json | undefined
}

/** Everything is logged when it ends, without bodies but for the writes the tests ask about. */
const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [
    {
      level: 'Request',
      verbs: ['update', 'patch'],
      resources: [
        {
          group: 'cert-manager.io',
          resources: ['certificaterequests/status', 'certificates/status'],
        },
      ],
    },
    { level: 'Metadata' },
  ],
}

/** Flags that make the API server write its audit log, and the policy file they name. */
export function auditFlags(policyFile: string, logFile: string): readonly string[] {
  writeFileSync(policyFile, JSON.stringify(policy))
  return [
    `--audit-policy-file=${policyFile}`,
    `--audit-log-path=${logFile}`,
    // Written before the answer is sent, so the log holds all that a client has seen.
    '--audit-log-mode=blocking',
    '--audit-log-maxsize=2000',
  ]
}

/** All requests that were answered before the call. */
export async function readAudit(logFile: string, admin: ApiClient): Promise<readonly AuditEvent[]> {
  // An answer may overtake its own audit line; a request of ours that is in the log marks the place.
  const marker = `/version?marker=${randomUUID()}`
  await admin.must('GET', marker)
  const text = await until('audit log', () => {
    const seen = existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''
    return seen.includes(marker) && seen
  })
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}') && !line.includes(marker))
    .map((line) => parseEvent(parseJson(line)))
}

function parseEvent(event: Json): AuditEvent {
  const optional = (key: string) => {
    const value = at(event, 'objectRef', key)
    return typeof value === 'string' ? value : ''
  }
  const code = at(event, 'responseStatus', 'code')
  return {
    verb: textAt(event, 'verb'),
    user: textAt(at(event, 'impersonatedUser') ?? at(event, 'user'), 'username'),
    uri: textAt(event, 'requestURI'),
    code: typeof code === 'number' ? code : 0,
    resource: optional('resource'),
    subresource: optional('subresource'),
    apiGroup: optional('apiGroup'),
    namespace: optional('namespace'),
    name: optional('name'),
    received: textAt(event, 'requestReceivedTimestamp'),
    requestObject: at(event, 'requestObject'),
  }
}
