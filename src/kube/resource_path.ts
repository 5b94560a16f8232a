import { IssuerError } from '../error.ts'

/** Where an object or a collection lives on the API server. The core group is `''`. */
export interface ResourcePath {
  readonly group: string
  readonly version: string
  /** Plural, lower case. */
  readonly resource: string
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
}

/**
 * The URL path, each part percent-encoded: a name from outside cannot reach another resource. Throws
 * KubeInvalid for a part that no encoding makes safe: empty, `.` or `..`.
 */
export function resourcePath(at: ResourcePath): string {
  const root = at.group === '' ? ['api', at.version] : ['apis', at.group, at.version]
  const scope = at.namespace === undefined ? [] : ['namespaces', at.namespace]
  const rest = [at.resource, at.name, at.subresource].filter((part) => part !== undefined)
  return `/${[...root, ...scope, ...rest].map(encodePart).join('/')}`
}

/** Reads a path made by `resourcePath`; anything else (`/readyz`) gives `undefined`. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const parts = path.split('/').slice(1).map(decodePart)
  const core = parts[0] === 'api'
  if (!core && parts[0] !== 'apis') return undefined
  const [group, version, ...rest] = core ? ['', ...parts.slice(1)] : parts.slice(1)
  const namespaced = rest[0] === 'namespaces' && rest.length > 2
  const [resource, name, subresource] = namespaced ? rest.slice(2) : rest
  if (group === undefined || version === undefined || resource === undefined) return undefined
  return {
    group,
    version,
    resource,
    ...(namespaced && rest[1] !== undefined && { namespace: rest[1] }),
    ...(name !== undefined && { name }),
    ...(subresource !== undefined && { subresource }),
  }
}

/** Resource and subresource as RBAC and `kubectl` write them: `leases.coordination.k8s.io`. */
export function resourceName(at: ResourcePath): string {
  const qualified = at.group === '' ? at.resource : `${at.resource}.${at.group}`
  return at.subresource === undefined ? qualified : `${qualified}/${at.subresource}`
}

function encodePart(part: string): string {
  if (part === '' || part === '.' || part === '..') {
    throw new IssuerError('KubeInvalid', `${JSON.stringify(part)} cannot be the name of an object`)
  }
  return encodeURIComponent(part)
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
