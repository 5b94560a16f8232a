import { type JsonObject, objectAt, textAt } from '../json.ts'

/** The identity and state of a Kubernetes object, which every object has. */
export interface ObjectMeta {
  readonly uid: string
  readonly namespace: string | undefined
  readonly name: string
  readonly resourceVersion: string
}

/** `undefined` for something that is not a stored object. */
export function metaOf(object: JsonObject): ObjectMeta | undefined {
  const metadata = objectAt(object, 'metadata')
  const uid = textAt(metadata, 'uid')
  const name = textAt(metadata, 'name')
  const resourceVersion = textAt(metadata, 'resourceVersion')
  if (uid === undefined || name === undefined || resourceVersion === undefined) return undefined
  return { uid, namespace: textAt(metadata, 'namespace'), name, resourceVersion }
}
