// The autoscale formula with a deployment's numbers: see pool/AUTOSCALE.md.

@description('How the pool grows and shrinks; the names are those of the formula\'s parameters.')
@export()
type scaling = {
  @description('Most nodes at any time.')
  @minValue(1)
  maxNodes: int
  @description('How many of them may be spot nodes.')
  @minValue(0)
  spotNodes: int
  @description('Task slots of a node.')
  @minValue(1)
  slotsPerNode: int
  @description('Minutes for which one node stays after the last file.')
  @minValue(0)
  keepMinutes: int
  @description('Least nodes in working hours.')
  @minValue(0)
  minNodesWorkingHours: int
  @description('First working hour of the day.')
  workStart: int
  @description('Hour at which work ends.')
  workEnd: int
  @description('Local time minus UTC, in hours.')
  utcOffsetHours: int
}

@export()
@description('Puts the numbers over the defaults at the head of the formula.')
func withNumbers(formula string, numbers scaling) string =>
  replace(
    formula,
    '// ---- end of parameters ----',
    join(map(items(numbers), item => '${item.key} = ${item.value};'), '\n')
  )
