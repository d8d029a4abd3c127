"""Common mistakes, made on purpose: for each exercise those that its grader must detect, grouped by lesson.

`common` has the mistakes of several exercises; `norms` and `formulas` make those of norms and of losses on a softmax;
`table` joins the tables of all lessons.
"""
