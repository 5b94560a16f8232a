import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failed, ok, skipped, warning } from '../../src/check/finding.ts'
import { type Report, reportJson, reportText, resultOf } from '../../src/check/report.ts'

const none = { commands: [] }
const report: Report = {
  issuer: 'ClusterIssuer/akv-issuer',
  vaultUrl: 'https://contoso.vault.azure.net',
  parts: [
    {
      seenBy: 'controller',
      heading: 'What the controller found, as its workload identity',
      findings: [
        {
          ...failed(
            'Ready',
            'VaultForbidden',
            'could not sign with key "ca" at https://contoso.vault.azure.net: HTTP 403 Forbidden/ForbiddenByRbac — grant it the role',
          ),
          commands: ['az role assignment create --assignee x \\\n  --scope y', 'az second'],
        },
        {
          ...warning('CAExpiring', 'the CA certificate for CN=\u001b[31mca expires in 3 days'),
          ...none,
        },
      ],
    },
    {
      seenBy: 'caller',
      heading: 'From here, as alice@contoso.com',
      findings: [
        { ...ok('token', 'Entra gave one'), ...none },
        { ...skipped('signature', `not to be seen from here: ${'x'.repeat(90)}`), ...none },
      ],
      note: 'This is what works from here.',
    },
  ],
}

test('a terminal shows what was found, whole words, and commands to copy', () => {
  assert.equal(
    reportText(report),
    `ClusterIssuer/akv-issuer at https://contoso.vault.azure.net

What the controller found, as its workload identity
  FAILED   Ready       VaultForbidden: could not sign with key "ca" at
                       https://contoso.vault.azure.net: HTTP 403 Forbidden/ForbiddenByRbac — grant
                       it the role

      az role assignment create --assignee x \\
        --scope y
      az second

  warning  CAExpiring  the CA certificate for CN= [31mca expires in 3 days

From here, as alice@contoso.com
  ok       token       Entra gave one
  skipped  signature   not to be seen from here:
                       ${'x'.repeat(90)}

  This is what works from here.

1 failed, 1 warning, 1 ok, 1 skipped
`,
  )
})

test('a pipeline gets the same in one object', () => {
  const { findings, ...rest } = JSON.parse(reportJson(report))
  assert.deepEqual(rest, {
    issuer: 'ClusterIssuer/akv-issuer',
    vaultUrl: 'https://contoso.vault.azure.net',
    result: 'failed',
  })
  assert.deepEqual(
    findings,
    report.parts.flatMap(({ seenBy, findings: ofPart }) =>
      ofPart.map((finding) => ({ seenBy, ...finding })),
    ),
  )
})

test('the worst counts, and what was skipped is not bad', () => {
  const of = (...findings: Report['parts'][number]['findings']) =>
    resultOf({ ...report, parts: [{ seenBy: 'caller', heading: '', findings }] })
  const [good, left, watch] = [ok('a', ''), skipped('b', ''), warning('c', '')].map((one) => ({
    ...one,
    ...none,
  }))
  assert(good && left && watch)
  assert.deepEqual([of(), of(left), of(good, left), of(good, watch)], ['ok', 'ok', 'ok', 'warning'])
})
