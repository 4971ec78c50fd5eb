"""How each verb is carried out, one file per verb."""
