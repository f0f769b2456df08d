"""What the shop wants of lists.

rule        one rule, and when it holds
item_rules  what the rules say of each place of the catalogue's index (scorer)
returning   what they hide from everyone, and what a user may see again (profiles)
guard       what may be in a list at all
pins        items at fixed places
"""
