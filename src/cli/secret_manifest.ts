export interface SecretPlace {
  readonly name: string
  /** That of kubectl's context when absent. */
  readonly namespace: string | undefined
}

/** A Secret of type `kubernetes.io/tls` as `kubectl apply -f -` takes it. */
export function secretManifest(
  { name, namespace }: SecretPlace,
  pair: {
    readonly chainPem: string
    readonly keyPem: string
    readonly rootPem: string | undefined
  },
): string {
  const { chainPem, keyPem, rootPem } = pair
  const entries = [
    ['tls.crt', chainPem],
    ['tls.key', keyPem],
    ...(rootPem === undefined ? [] : [['ca.crt', rootPem] as const]),
  ] as const
  return [
    'apiVersion: v1',
    'kind: Secret',
    'metadata:',
    `  name: ${JSON.stringify(name)}`,
    ...(namespace === undefined ? [] : [`  namespace: ${JSON.stringify(namespace)}`]),
    'type: kubernetes.io/tls',
    'data:',
    ...entries.map(([key, text]) => `  ${key}: ${Buffer.from(text, 'latin1').toString('base64')}`),
    '',
  ].join('\n')
}
