// The story of an identity for each team once more, with the rights that the chart renders.
process.env.INSTALL = 'chart'

await import('./identity_teams.test.ts')
