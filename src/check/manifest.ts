import { apiVersion, type IssuerKind, issuerKinds } from '../api/names.ts'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'

/** An issuer in a file. */
export interface Manifest {
  readonly kind: IssuerKind
  readonly name: string
  readonly namespace: string | undefined
  readonly object: JsonObject
}

/**
 * Finds the issuer in YAML or JSON, among whatever else is there.
 *
 * @param wanted which, where there are several
 * @throws IssuerError `FileRefused`
 */
export async function readManifest(
  text: string,
  wanted: { readonly kind: IssuerKind; readonly name: string } | undefined,
): Promise<Manifest> {
  const manifests = (await documentsIn(text)).flatMap(manifestOf)
  const meant = manifests.filter(
    ({ kind, name }) => wanted === undefined || (kind === wanted.kind && name === wanted.name),
  )
  const [only, ...others] = meant
  if (only !== undefined && others.length === 0) return only
  const there = manifests.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`).join(', ')
  throw new IssuerError(
    'FileRefused',
    there === ''
      ? `there is no issuer of ${apiVersion} in it`
      : `the issuers in it are ${there}; name one of them`,
  )
}

async function documentsIn(text: string): Promise<readonly unknown[]> {
  // The import costs half a second; only a file needs it.
  const { loadAllYaml } = await import('@kubernetes/client-node')
  try {
    return loadAllYaml(text)
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
    throw new IssuerError('FileRefused', `it is neither YAML nor JSON: ${said}`, { cause })
  }
}

function manifestOf(object: unknown): readonly Manifest[] {
  if (!isObject(object) || textAt(object, 'apiVersion') !== apiVersion) return []
  const kind = issuerKinds.find((one) => one === textAt(object, 'kind'))
  const metadata = objectAt(object, 'metadata')
  const name = textAt(metadata, 'name')
  if (kind === undefined || name === undefined) return []
  return [{ kind, name, namespace: textAt(metadata, 'namespace'), object }]
}
