"""Process parameters and layout rules of the library."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Technology:
    """Operating point and layout rules of the 45 nm cells.

    Geometry follows the public FreePDK45 design rules (gate length 50 nm, minimum active width
    90 nm, contact 65 nm, contact to gate 35 nm, active beyond contact 5 nm, active spacing 80 nm):

    * a gate column needs one contacted poly pitch: 50 + 65 + 2 x 35 nm rounded up to 190 nm;
    * a diffusion shared by two gates is 190 - 50 = 140 nm long, one at the end of a strip is
      35 + 65 + 5 = 105 nm long;
    * two strips that do not share a diffusion need 2 x 105 + 80 nm instead of 140 nm, which is
      less than one column more: a break costs one column;
    * the row is ten tracks of 140 nm; what the rails, the well boundary and the spacings leave
      fits one n finger of 0.42 um above one p finger of 0.63 um.

    Wiring inside the cell: first-metal capacitance 0.2 fF/um (ITRS 2007, interconnect table,
    1.8 to 2.0 pF/cm for the local level), 0.35 um of it for every diffusion contact; poly on field
    oxide 0.1 fF/um, 0.5 um for every gate column.
    """

    vdd_v: float = 1.1
    temperature_c: float = 25.0
    gate_length_um: float = 0.05
    min_width_um: float = 0.09
    n_width_um: float = 0.42
    p_width_um: float = 0.63
    poly_pitch_um: float = 0.19
    row_height_um: float = 1.4
    shared_diffusion_um: float = 0.14
    end_diffusion_um: float = 0.105
    contact_wire_ff: float = 0.07
    gate_column_wire_ff: float = 0.05
    n_model: str = "NMOS_VTG"
    p_model: str = "PMOS_VTG"

    def area_um2(self, columns: int) -> float:
        """Cell area in um2: the gate columns plus half a column of margin on either side."""
        return (columns + 1) * self.poly_pitch_um * self.row_height_um


TECHNOLOGY = Technology()
