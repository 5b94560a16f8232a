import { type Issuer, issuerKey, parseIssuer } from '../api/issuer.ts'
import { fieldManager, group, type IssuerKind, pluralByKind, version } from '../api/names.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { isObject, type JsonObject } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { type Finding, failed, ok, skipped } from './finding.ts'

/** Which issuer is meant. The namespace of a ClusterIssuer is empty. */
export interface IssuerName {
  readonly kind: IssuerKind
  readonly namespace: string
  readonly name: string
}

/** A look at the cluster, and whether anything more can be seen there. */
export interface Seen<T> {
  readonly findings: readonly Finding[]
  readonly found: T | undefined
}

export interface StoredIssuer extends Seen<Issuer> {
  readonly kind: 'stored'
}

/** With the defaults of the schema. */
export interface TriedIssuer extends Seen<JsonObject> {
  readonly kind: 'tried'
}

/** The issuer as it is stored. */
export async function readIssuer(
  kube: KubeClient,
  which: IssuerName,
  signal: AbortSignal,
): Promise<StoredIssuer> {
  try {
    const issuer = parseIssuer(which.kind, await readObject(kube, pathOf(which), signal))
    if (issuer !== undefined) return { kind: 'stored', findings: [], found: issuer }
    throw new IssuerError(
      'KubeUnavailable',
      `the API server gave ${issuerKey(which)} without a name`,
    )
  } catch (thrown) {
    const { code, message } = issuerErrorFrom(thrown)
    const finding =
      code === 'KubeNotFound'
        ? failed(
            'issuer',
            'IssuerNotFound',
            `${issuerKey(which)} not found; check name and namespace`,
          )
        : failed('issuer', code, message)
    return { kind: 'stored', findings: [finding], found: undefined }
  }
}

/** Has the API server judge an issuer as if it were applied: by its schema, and with its defaults. */
export async function tryApply(
  kube: KubeClient,
  which: IssuerName,
  manifest: JsonObject,
  signal: AbortSignal,
): Promise<TriedIssuer> {
  const body = {
    apiVersion: `${group}/${version}`,
    kind: which.kind,
    metadata: { name: which.name },
    spec: manifest.spec,
  }
  try {
    const applied = await kube.request(
      {
        method: 'PATCH',
        path: pathOf(which),
        query: {
          fieldManager: `${fieldManager}-check`,
          dryRun: 'All',
          force: true,
          fieldValidation: 'Strict',
        },
        contentType: 'application/apply-patch+yaml',
        body,
      },
      signal,
    )
    const finding = ok('schema', 'the API server would take it (a dry run: nothing was stored)')
    return { kind: 'tried', findings: [finding], found: isObject(applied) ? applied : undefined }
  } catch (thrown) {
    const { code: kubeCode, message } = issuerErrorFrom(thrown)
    // The API server answers an apply with a field that the schema does not know by a bare 500.
    const code = /field not declared in schema/.test(message) ? 'KubeInvalid' : kubeCode
    const cannot = code === 'KubeForbidden' || code === 'KubeNotFound'
    const finding = cannot ? skipped('schema', message) : failed('schema', code, message)
    return { kind: 'tried', findings: [finding], found: undefined }
  }
}

/** Reads an object, or a list of them. @throws IssuerError of the API server */
export async function readObject(
  kube: KubeClient,
  path: string,
  signal: AbortSignal,
  query: Readonly<Record<string, string>> = {},
): Promise<JsonObject> {
  const answer = await kube.request({ method: 'GET', path, query }, signal)
  if (isObject(answer)) return answer
  throw new IssuerError('KubeUnavailable', `the API server answered GET ${path} with no object`)
}

function pathOf({ kind, namespace, name }: IssuerName): string {
  const resource = pluralByKind[kind]
  return resourcePath({
    group,
    version,
    resource,
    ...(kind === 'Issuer' && { namespace }),
    name,
  })
}
