import { parseResourcePath, resourceName } from './resource_path.ts'

export type KubeMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A call in the API server's own words, for messages and metrics. */
export interface KubeCall {
  /** As in RBAC: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`. */
  readonly verb: string
  /** `certificaterequests.cert-manager.io/status`, or the path itself outside the resource API. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

export function callOf(method: KubeMethod | 'WATCH', path: string): KubeCall {
  const at = parseResourcePath(path)
  if (at === undefined) {
    return { verb: method.toLowerCase(), resource: path, namespace: undefined, name: undefined }
  }
  const verbs = at.name === undefined ? collectionVerbs : objectVerbs
  return {
    verb: verbs[method],
    resource: resourceName(at),
    namespace: at.namespace,
    name: at.name,
  }
}

/** `update leases.coordination.k8s.io "akv-issuer" in namespace "akv-issuer"`. */
export function describeCall(call: KubeCall): string {
  const name = call.name === undefined ? '' : ` ${JSON.stringify(call.name)}`
  const scope =
    call.namespace === undefined ? '' : ` in namespace ${JSON.stringify(call.namespace)}`
  return `${call.verb} ${call.resource}${name}${scope}`
}

const objectVerbs = {
  GET: 'get',
  WATCH: 'watch',
  // The only POST with a name is one to a subresource, such as serviceaccounts/token.
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
} as const satisfies Record<KubeMethod | 'WATCH', string>

const collectionVerbs = {
  ...objectVerbs,
  GET: 'list',
  DELETE: 'deletecollection',
} as const satisfies Record<KubeMethod | 'WATCH', string>
