"""What agents with neural networks share. Every array has a leading axis of members.

A member is one setting with one seed. Members of equal shapes train together; a single run is one
member. A member's numbers are the same to the last bit whatever company it trains in (on one CPU
thread), which rests on these rules:

* no arithmetic across members, and random streams for each member (`noise`);
* no matrix products with vectors, whose result depends on the number of members
  (`networks.linear`);
* elementwise functions are those whose result does not depend on the place in the array: no
  sigmoid or softplus, but exp, log1p and tanh (`policies.elementary`).
"""
